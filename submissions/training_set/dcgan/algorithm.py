"""A class-conditional DCGAN fills up the scarce classes, as far as held-out real rows say that it helps.

Radford, Metz and Chintala (2016), "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", ICLR; the class enters as in Mirza and Osindero (2014), "Conditional Generative Adversarial Nets".

A fifth of the distinct real rows is held out from the GAN. The fixed model is trained on the other real rows with
none, half or all of the synthetic rows that would even out the classes; the share with the best macro-F1 on the
held-out rows is returned, and none if synthesis does not help. Rows that are no images have no use for convolutions:
they are returned merged and untouched.
"""

import numpy as np

NOISE, WIDTH, BATCH, STEPS = 32, 16, 64, 250
RATE = 0.0024  # twelve times the paper's, since the steps are so few


def create_training_set(task):
    X, y = deduplicate(task)
    shape = image_shape(X)
    keep = np.concatenate([np.unique(y, return_index=True)[1], task.rng.permutation(len(y))])
    keep = keep[np.sort(np.unique(keep, return_index=True)[1])][: task.budget]  # one row of each class comes first
    X, y = X[keep], y[keep]
    counts = np.bincount(y, minlength=task.n_classes)
    wanted = np.repeat(np.arange(task.n_classes), np.maximum(0, counts.max() - counts) * (counts > 0))
    wanted = task.rng.permutation(wanted)[: task.budget - len(y)]
    if shape is None or not len(wanted):
        return X, y
    held = task.rng.random(len(y)) < 0.2
    held[: len(np.unique(y))] = False
    made = synthesise(X[~held], y[~held], wanted, shape, task)

    amounts = [0, len(wanted) // 2, len(wanted)]
    both_X, both_y = np.concatenate([X, made]), np.concatenate([y, wanted])
    real = np.flatnonzero(~held)
    subsets = [np.concatenate([real, len(y) + np.arange(amount)]) for amount in amounts]
    predicted = task.model.fit_many(both_X, both_y, subsets=subsets).predict(X[held])
    best = amounts[int(np.argmax([macro_f1(y[held], p, task.n_classes) for p in predicted]))]
    return both_X[: len(y) + best], both_y[: len(y) + best]


def synthesise(X, y, wanted, shape, task):
    """Train generator and discriminator on real rows; return one synthetic row per wanted class."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(int(task.rng.integers(2**31)))
    low, span = task.low, task.high - task.low
    height, width = shape
    images = X.reshape(len(X), height, width, -1)
    channels = images.shape[-1]
    real = torch.from_numpy(2 * (images.astype(np.float32) - low) / span - 1).permute(0, 3, 1, 2).contiguous()
    labels, classes = torch.from_numpy(y), task.n_classes
    tall, wide = -(-height // 4), -(-width // 4)  # two doublings, cut to size where the side is no multiple of 4

    generator = nn.Sequential(
        nn.Linear(NOISE + classes, 2 * WIDTH * tall * wide),
        nn.Unflatten(1, (2 * WIDTH, tall, wide)),
        nn.BatchNorm2d(2 * WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(WIDTH, channels, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(channels + classes, WIDTH, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1),
        nn.BatchNorm2d(2 * WIDTH),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * WIDTH * (height // 4) * (width // 4), 1),
    )
    for module in [*generator.modules(), *discriminator.modules()]:
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)

    def generate(c):
        noise = torch.randn(len(c), NOISE)
        return generator(torch.cat([noise, functional.one_hot(c, classes)], 1))[..., :height, :width]

    def judge(x, c):
        planes = functional.one_hot(c, classes).float()[:, :, None, None].expand(-1, -1, height, width)
        return discriminator(torch.cat([x, planes], 1)).squeeze(1)

    steps_g = torch.optim.Adam(generator.parameters(), lr=RATE, betas=(0.5, 0.999), fused=True)
    steps_d = torch.optim.Adam(discriminator.parameters(), lr=RATE, betas=(0.5, 0.999), fused=True)
    bce = functional.binary_cross_entropy_with_logits
    chance = 1.0 / torch.bincount(labels, minlength=classes)[labels]  # every class equally often
    for _ in range(STEPS):
        rows = torch.multinomial(chance, BATCH, replacement=True)
        c = labels[rows]
        fake = generate(c)
        on_real, on_fake = judge(real[rows], c), judge(fake.detach(), c)
        loss = bce(on_real, torch.full_like(on_real, 0.9)) + bce(on_fake, torch.zeros_like(on_fake))
        steps_d.zero_grad()
        loss.backward()
        steps_d.step()
        on_fake = judge(fake, c)
        loss = bce(on_fake, torch.ones_like(on_fake))
        steps_g.zero_grad()
        loss.backward()
        steps_g.step()

    generator.eval()
    with torch.no_grad():
        made = torch.cat([generate(part) for part in torch.from_numpy(wanted).split(256)])
    made = (made.permute(0, 2, 3, 1).numpy() + 1) / 2 * span + low
    return np.clip(made.reshape(len(wanted), *X.shape[1:]), task.low, task.high).astype(np.float32)


def macro_f1(y, predicted, n_classes):
    """Mean F1 over the classes that occur or are predicted."""
    hits = np.bincount(y[y == predicted], minlength=n_classes)
    mass = np.bincount(y, minlength=n_classes) + np.bincount(predicted, minlength=n_classes)
    return (2 * hits[mass > 0] / mass[mass > 0]).mean()


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
