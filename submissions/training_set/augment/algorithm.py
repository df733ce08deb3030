"""Merge repeated rows, then fill all classes up evenly with slightly shifted and turned copies.

The small affine distortions of Simard, Steinkraus and Platt (2003), "Best Practices for Convolutional Neural Networks
Applied to Visual Document Analysis". Rows that are no images are interpolated with their nearest neighbour of the same
class instead: Chawla et al. (2002), "SMOTE: Synthetic Minority Over-sampling Technique", JAIR 16.
"""

import numpy as np

SHIFT, TURN = 0.08, 8.0  # largest shift as a share of the side, largest turn in degrees


def create_training_set(task):
    X, y = deduplicate(task)
    classes = np.unique(y)
    per_class = task.budget // len(classes)
    change = distort if image_shape(X) else interpolate
    new_X, new_y = [], []
    for c in classes:
        own = task.rng.permutation(np.flatnonzero(y == c))[:per_class]
        parents = np.resize(own, per_class - len(own))
        made = np.clip(change(X, parents, own, task.rng), task.low, task.high)
        new_X += [X[own], made.astype(np.float32)]
        new_y.append(np.full(per_class, c))
    return np.concatenate(new_X), np.concatenate(new_y)


def image_shape(X):
    """(height, width) of a row; None if it is no image. A flat row is one if neighbouring values go together.

    Nothing says that 64 numbers are 8 x 8 pixels, but pixels that lie below each other are correlated and columns of a
    table are not, more than any other two.
    """
    if X.ndim > 2:
        return X.shape[1:3]
    side = int(np.sqrt(X.shape[1]))
    if side < 4 or side * side != X.shape[1]:
        return None
    centred = X - X.mean(axis=0)
    scaled = centred / np.maximum(np.sqrt((centred**2).sum(axis=0)), 1e-9)
    correlation = np.abs(scaled.T @ scaled)
    pixels = np.arange(side * side).reshape(side, side)
    below = correlation[pixels[:-1].ravel(), pixels[1:].ravel()].mean()
    beside = correlation[pixels[:, :-1].ravel(), pixels[:, 1:].ravel()].mean()
    return (side, side) if min(below, beside) > 2 * correlation.mean() else None


def distort(X, parents, own, rng):
    """A copy of each parent, turned and shifted a little (bilinear; what comes in at the edge repeats the edge)."""
    from scipy.ndimage import affine_transform

    height, width = image_shape(X)
    images = X[parents].reshape(len(parents), height, width, *X.shape[3:4] or (1,))
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    made = np.empty_like(images)
    for image, out in zip(images, made, strict=True):
        angle = np.deg2rad(rng.uniform(-TURN, TURN))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = rng.uniform(-SHIFT, SHIFT, size=2) * (height, width)
        offset = centre - turn @ (centre + shift)
        for channel in range(image.shape[2]):
            affine_transform(image[..., channel], turn, offset, output=out[..., channel], order=1, mode="nearest")
    return made.reshape(len(parents), *X.shape[1:])


def interpolate(X, parents, own, rng):
    """A random point between each parent and one of its five nearest rows of the class."""
    flat = X[own].reshape(len(own), -1)
    partners = np.empty_like(parents)
    for i, parent in enumerate(parents):
        near = np.argsort(((flat - X[parent].ravel()) ** 2).sum(axis=1))[1:6]
        partners[i] = own[rng.choice(near)] if len(near) else parent
    share = rng.random((len(parents), *[1] * (X.ndim - 1)))
    return X[parents] + share * (X[partners] - X[parents])


def deduplicate(task):
    """Distinct rows, each with the commonest of its labels; ties are broken by chance, no class is lost."""
    flat = task.X.reshape(len(task.X), -1)
    _, first, group = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    votes = np.zeros((len(first), task.n_classes))
    np.add.at(votes, (group.ravel(), task.y), 1.0)
    y = (votes + 0.5 * task.rng.random(votes.shape) * (votes > 0)).argmax(axis=1)
    for c in np.setdiff1d(task.y, y):
        y[group.ravel()[np.flatnonzero(task.y == c)[0]]] = c
    return task.X[first], y
