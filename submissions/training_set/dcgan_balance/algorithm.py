"""A class-conditional DCGAN, trained on all raw rows, fills all classes up evenly.

Radford, Metz and Chintala (2016), "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", ICLR; the class enters as in Mirza and Osindero (2014), "Conditional Generative Adversarial Nets". Features
learned from common classes are what a scarce one borrows. No row is held out to ask whether it helps, as `dcgan` does:
a class of three rows has none to spare. Rows that are no images are returned as they are.
"""

import numpy as np

NOISE, WIDTH, BATCH, STEPS = 32, 16, 64, 800
RATE = 0.0024  # twelve times the paper's, since the steps are so few


def create_training_set(task):
    first = np.unique(task.y, return_index=True)[1]  # one row of each class comes first
    keep = np.concatenate([first, np.setdiff1d(task.rng.permutation(len(task.y)), first)])[: task.budget]
    X, y = task.X[keep], task.y[keep]
    counts, shape = np.bincount(y, minlength=task.n_classes), image_shape(X)
    each = np.maximum(0, task.budget // max(len(first), 1) - counts) * (counts > 0)
    wanted = task.rng.permutation(np.repeat(np.arange(task.n_classes), each))[: task.budget - len(y)]
    if shape is None or not len(wanted):
        return X, y
    made = synthesise(X, y, wanted, shape, task)
    return np.concatenate([X, made]), np.concatenate([y, wanted])


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
