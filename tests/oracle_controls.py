"""The losses of the controls as loops and closed-form gradients, float64: what the tests hold the
program against.

Everything is written from the papers' equations, nothing from the code under test: Gatys et al.
2017 (CVPR), Novak & Nikulin 2016 (arXiv:1605.04603), Li et al. 2017 (IJCAI). Features are [h, w, N]
or [M, N], row by row; X is generated, P the style's, T and U their guides. A loss gives its value
and its gradient with respect to X, of X's shape."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg

Loss = tuple[float, np.ndarray]


def _wave(
    function: Callable[..., np.ndarray], pitch: float, *shape: int, start: float = 0.0
) -> np.ndarray:
    return function(pitch * np.arange(math.prod(shape)) + start).reshape(shape)


# Inputs of the golden numbers; U1 and U2 guide the style, SOFT either.
X, P, Q = (
    _wave(np.sin, 0.37, 6, 8, 4),
    _wave(np.cos, 0.21, 6, 8, 4),
    _wave(np.cos, 0.13, 6, 8, 4, start=1.0),
)
# X and P have rank 2; these have full rank.
K = np.arange(192.0)
X2, P2 = (
    np.sin(0.37 * K + 0.003 * K**2).reshape(6, 8, 4),
    np.cos(0.21 * K + 0.002 * K**2).reshape(6, 8, 4),
)
Y, Z = _wave(np.sin, 0.29, 3, 4, 3), _wave(np.cos, 0.17, 3, 4, 3)
ROW, COLUMN = np.mgrid[:6, :8]
T1, T2 = (COLUMN < 3).astype(float), (COLUMN >= 3).astype(float)
U1, U2 = (ROW < 2).astype(float), (ROW >= 2).astype(float)
SOFT = (COLUMN + 1) / 8


def flat(F: np.ndarray) -> np.ndarray:
    """[M, N] of features [h, w, N]."""
    return F.reshape(-1, F.shape[-1]).astype(np.float64)


def product(F: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Σ_k F_ki H_kj [N, N'], one position at a time; with H = F the Gram matrix, undivided."""
    G = np.zeros((F.shape[-1], H.shape[-1]))
    for f, h in zip(flat(F), flat(H), strict=True):
        for i, j in itertools.product(range(len(f)), range(len(h))):
            G[i, j] += f[i] * h[j]
    return G


def squared(difference: np.ndarray) -> float:
    return math.fsum(float(value) ** 2 for value in np.ravel(difference))


def unit(T: np.ndarray) -> np.ndarray:
    """A guide [M] with ΣT² = 1."""
    return T.ravel() / math.sqrt(squared(T))


def gram(X: np.ndarray, P: np.ndarray) -> Loss:
    """Σ(G/M − A/M)² / (4N²)."""
    return guided_gram(X, P, [np.ones(X.shape[:-1])], [np.ones(P.shape[:-1])])


def guided_gram(
    X: np.ndarray,
    P: np.ndarray,
    guides: Sequence[np.ndarray],
    style_guides: Sequence[np.ndarray],
    weights: Sequence[float] = (1.0, 1.0),
) -> Loss:
    """1/(4N²) Σ_r λ_r Σ(G^r − A^r)², G^r of T^r∘X, ΣT² = 1 whatever the scale of the guides
    given.
    """
    x, p = flat(X), flat(P)
    N = x.shape[1]
    value, gradient = 0.0, np.zeros_like(x)
    for T, U, weight in zip(guides, style_guides, weights, strict=False):
        t, u = unit(T)[:, None], unit(U)[:, None]
        difference = product(t * x, t * x) - product(u * p, u * p)
        value += weight * squared(difference) / (4 * N**2)
        gradient += weight * t**2 * (x @ difference) / N**2
    return value, gradient.reshape(X.shape)


def guided_mean(
    X: np.ndarray,
    P: np.ndarray,
    guides: Sequence[np.ndarray],
    style_guides: Sequence[np.ndarray],
    weights: Sequence[float] = (0.5, 0.5),
) -> Loss:
    """Σ_r w_r (1/N) Σ(m^r − m_S^r)², m^r = mean_k T_k X_k, mean T² = 1 (MeanMSEGuided of
    NeuralImageSynthesis).
    """
    x, p = flat(X), flat(P)
    (M, N), M_S = x.shape, len(p)
    value, gradient = 0.0, np.zeros_like(x)
    for T, U, weight in zip(guides, style_guides, weights, strict=True):
        t, u = unit(T) * math.sqrt(M), unit(U) * math.sqrt(M_S)
        difference = (
            sum(t[k] * x[k] for k in range(M)) / M - sum(u[k] * p[k] for k in range(M_S)) / M_S
        )
        value += weight * squared(difference) / N
        gradient += weight * 2 / (N * M) * np.outer(t, difference)
    return value, gradient.reshape(X.shape)


def stacked_sums(
    X: np.ndarray,
    P: np.ndarray,
    guides: Sequence[np.ndarray],
    style_guides: Sequence[np.ndarray],
    mean_square: bool = True,
) -> Loss:
    """The paper's guided sums: the guides as more channels F' = [F, T¹ … T^R], 1/(4N²) Σ(G'/M −
    A'/M)², N that of F.

    Guides have mean T² = 1, or with `mean_square=False` ΣT² = 1.
    """
    x, p = flat(X), flat(P)
    (M, N), M_S = x.shape, len(p)

    def stack(features: np.ndarray, channels: Sequence[np.ndarray]) -> np.ndarray:
        scale = math.sqrt(len(features)) if mean_square else 1.0
        return np.column_stack([features, *(unit(T) * scale for T in channels)])

    wide, wide_style = stack(x, guides), stack(p, style_guides)
    difference = product(wide, wide) / M - product(wide_style, wide_style) / M_S
    gradient = (wide @ difference)[:, :N] / (N**2 * M)
    return squared(difference) / (4 * N**2), gradient.reshape(X.shape)


def shifted(X: np.ndarray, P: np.ndarray, shift: float = -1.0) -> Loss:
    """The Gram loss of F + s (Novak & Nikulin 2016, 3.3)."""
    return gram(X + shift, P + shift)


def covariance(X: np.ndarray, P: np.ndarray) -> Loss:
    """Σ(K − K_S)² / (4N²), K the covariance over M; centering changes no gradient, since centered
    rows sum to zero.
    """
    return gram(X - flat(X).mean(axis=0), P - flat(P).mean(axis=0))


def components(X: np.ndarray, P: np.ndarray, count: int) -> Loss:
    """The Gram loss of the features on the style's first `count` principal components (Gatys et al.
    2015, NIPS), from a singular value decomposition of the style's features.
    """
    V = np.linalg.svd(flat(P))[2][:count].T  # [N, count]
    value, gradient = gram(X @ V, P @ V)
    return value, gradient @ V.T


def mean_std(X: np.ndarray, P: np.ndarray) -> Loss:
    """(1/N) Σ[(μ − μ_S)² + (σ − σ_S)²] ("BN" of Li et al. 2017)."""
    x, p = flat(X), flat(P)
    M, N = x.shape
    value, gradient = 0.0, np.zeros_like(x)
    for i in range(N):
        mean, mean_style = math.fsum(x[:, i]) / M, math.fsum(p[:, i]) / len(p)
        deviation, deviation_style = (
            math.sqrt(squared(column - center) / len(column))
            for column, center in ((x[:, i], mean), (p[:, i], mean_style))
        )
        value += ((mean - mean_style) ** 2 + (deviation - deviation_style) ** 2) / N
        slope = (mean - mean_style) + (deviation - deviation_style) * (x[:, i] - mean) / deviation
        gradient[:, i] = 2 / (N * M) * slope
    return value, gradient.reshape(X.shape)


def linear_mmd(X: np.ndarray, P: np.ndarray) -> Loss:
    """MMD² with xᵀy: Σ(μ − μ_S)²."""
    x, p = flat(X), flat(P)
    value = _mmd(x, p, lambda a, b: float(a @ b))
    gradient = np.tile(2 / len(x) * (x.mean(axis=0) - p.mean(axis=0)), (len(x), 1))
    return value, gradient.reshape(X.shape)


def polynomial_mmd(X: np.ndarray, P: np.ndarray, c: float = 1.0) -> Loss:
    """MMD² with (xᵀy + c)²: with c = 0 it is 4N² times the Gram loss."""
    x, p = flat(X), flat(P)
    value = _mmd(x, p, lambda a, b: (float(a @ b) + c) ** 2)
    gradient = np.zeros_like(x)
    for k, a in enumerate(x):
        gradient[k] += sum(4 / len(x) ** 2 * (a @ b + c) * b for b in x)
        gradient[k] -= sum(4 / (len(x) * len(p)) * (a @ b + c) * b for b in p)
    return value, gradient.reshape(X.shape)


def gaussian_mmd(X: np.ndarray, P: np.ndarray, gamma: float) -> Loss:
    """MMD² with exp(−γ|x − y|²), every pair counted, γ a constant."""
    x, p = flat(X), flat(P)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-gamma * float((a - b) @ (a - b)))

    gradient = np.zeros_like(x)
    for k, a in enumerate(x):
        gradient[k] += sum(4 * gamma / (len(x) * len(p)) * kernel(a, b) * (a - b) for b in p)
        gradient[k] -= sum(4 * gamma / len(x) ** 2 * kernel(a, b) * (a - b) for b in x)
    return _mmd(x, p, kernel), gradient.reshape(X.shape)


def histogram(X: np.ndarray, P: np.ndarray) -> Loss:
    """Σ(O − R)² / (NM): each number O of X against R, the number that the same share of P's numbers
    in that channel lies below; for as many positions of both, all different.
    """
    x, p = flat(X), flat(P)
    matched = np.zeros_like(x)
    for channel in range(x.shape[1]):
        for k, number in enumerate(x[:, channel]):
            below = int((x[:, channel] < number).sum())
            [matched[k, channel]] = [
                each for each in p[:, channel] if int((p[:, channel] < each).sum()) == below
            ]
    return float(((x - matched) ** 2).sum()) / x.size, (2 * (x - matched) / x.size).reshape(X.shape)


def nearest(
    X: np.ndarray, P: np.ndarray, T: np.ndarray | None = None, U: np.ndarray | None = None
) -> Loss:
    """The mean over positions i of min_j of 1 − cos(x_i, p_j), x and p less their means (Kolkin et
    al. 2022).

    Positions count as the squares of T and U; one of P is looked at where U is half the largest or
    more."""
    T, U = (np.ones(F.shape[:-1]) if t is None else t for F, t in ((X, T), (P, U)))
    w, u = (unit(t) ** 2 for t in (T, U))
    x, p = (flat(F) - share @ flat(F) for F, share in ((X, w), (P, u)))
    p = p[U.ravel() >= U.max() / 2]
    total, slope = 0.0, np.zeros_like(x)
    for i, row in enumerate(x):
        direction = row / np.linalg.norm(row)
        cosines = [direction @ other / np.linalg.norm(other) for other in p]
        best = p[int(np.argmax(cosines))]
        total += w[i] * (1 - max(cosines))
        slope[i] = (max(cosines) * direction - best / np.linalg.norm(best)) / np.linalg.norm(row)
    # The mean that is taken off depends on every position.
    gradient = w[:, None] * (slope - w @ slope)
    return total, gradient.reshape(X.shape)


def matches(
    x: np.ndarray, p: np.ndarray, T: np.ndarray | None = None, U: np.ndarray | None = None
) -> list[int]:
    """For each row of x the row of p at the smallest angle, both less their means; T and U as in
    `nearest`.
    """
    T, U = (np.ones(len(each)) if t is None else t for each, t in ((x, T), (p, U)))
    x, p = (each - unit(t) ** 2 @ each for each, t in ((x, T), (p, U)))
    p = p / np.linalg.norm(p, axis=1, keepdims=True)
    p[U.ravel() < U.max() / 2] = np.nan
    return [int(np.nanargmax(p @ row)) for row in x]


def nearest_hypercolumns(X: np.ndarray, P: np.ndarray) -> Loss:
    """The mean over positions i of 1 − cos(x_i, t_i), t_i the match of x_i, which stays (Kolkin et
    al. 2022).
    """
    x, p = flat(X), flat(P)
    each = [_cosine(row, p[j]) for row, j in zip(x, matches(x, p), strict=True)]
    gradient = np.stack([slope for _, slope in each]) / len(x)
    return float(np.mean([value for value, _ in each])), gradient.reshape(X.shape)


def patches(
    X: np.ndarray,
    P: np.ndarray,
    stride: int,
    T: np.ndarray | None = None,
    U: np.ndarray | None = None,
) -> Loss:
    """½ Σ (a − t)² / n over the 3 × 3 patches a of X: n patches cover a number, and t is the patch
    of P at the smallest angle (Li and Wand 2016; chuanli11/CNNMRF, whose field is the gradient).

    A patch counts as the square of T in its middle says, over the mean of all; one of P is looked
    at where U in its middle is half the largest or more."""
    T, U = (np.ones(F.shape[:2]) if t is None else t for F, t in ((X, T), (P, U)))

    def corners(F: np.ndarray) -> list[tuple[int, int]]:
        down, across = (
            [k for k in range(side - 2) if k % stride == 0 or k == side - 3] for side in F.shape[:2]
        )
        return list(itertools.product(down, across))

    def angle(a: np.ndarray, t: np.ndarray) -> float:
        return math.acos(np.vdot(a, t) / math.sqrt(np.vdot(a, a) * np.vdot(t, t)))

    def patch(F: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
        return F[corner[0] : corner[0] + 3, corner[1] : corner[1] + 3]

    candidates = [
        patch(P, each) for each in corners(P) if U[each[0] + 1, each[1] + 1] >= U.max() / 2
    ]
    covered, squares, pulls = np.zeros(X.shape), np.zeros(X.shape), np.zeros(X.shape)
    for corner in corners(X):
        a = patch(X, corner)
        t = min(candidates, key=lambda t: angle(a, t))
        weight = T[corner[0] + 1, corner[1] + 1] ** 2 / np.mean(T**2)
        patch(covered, corner)[:] += 1
        patch(squares, corner)[:] += weight * (a - t) ** 2
        patch(pulls, corner)[:] += weight * (a - t)
    return float((squares / covered).sum()) / 2, pulls / covered


def sliced_wasserstein(
    X: np.ndarray,
    P: np.ndarray,
    directions: np.ndarray,
    T: np.ndarray | None = None,
    U: np.ndarray | None = None,
) -> Loss:
    """The mean over directions d and ranks i of (i-th of X d − i-th of P d)² (Heitz et al. 2021).

    Where P has a whole fraction of X's positions each number counts so many times, else numbers
    between the middles of ranks are linear. Tags T and U are one more channel, whose component of
    d is 1 before d is normalized anew."""
    x, p = flat(X), flat(P)
    M, N = x.shape
    if T is not None and U is not None:
        x, p = (np.column_stack([F, tags.ravel()]) for F, tags in ((x, T), (p, U)))
        directions = np.column_stack([directions, np.ones(len(directions))]) / math.sqrt(2)
    count = len(directions) * M
    value, gradient = 0.0, np.zeros_like(x)
    for d in directions.astype(np.float64):
        own = sorted((float(row @ d), k) for k, row in enumerate(x))
        style = sorted(float(row @ d) for row in p)
        for i, (found, k) in enumerate(own):
            if M % len(style):
                place = min(max((i + 0.5) * len(style) / M - 0.5, 0.0), len(style) - 1.0)
                low = min(int(place), len(style) - 2)
                wanted = style[low] + (place - low) * (style[low + 1] - style[low])
            else:
                wanted = style[i * len(style) // M]
            value += (found - wanted) ** 2 / count
            gradient[k] += 2 * (found - wanted) * d / count
    return value, gradient[:, :N].reshape(X.shape)


def wasserstein2(X: np.ndarray, P: np.ndarray, steps: int | None = None) -> Loss:
    """(|μ − μ'|² + tr(K + K' − 2 (K'^½ K K'^½)^½)) / N with 1e-4 on the diagonal of both K, and its
    gradient (2 / NM) [(μ − μ') + (x − μ)(I − T)].

    T is K'^½ (K'^½ K K'^½)^-½ K'^½ with exact roots. With `steps` the roots are those after so many
    steps of Newton and Schulz's, and the inverse root is what as many steps give for Lyapunov's
    equation R Q + Q R = 2 I, as crowsonkb/style-transfer-pytorch computes both."""
    F, S = flat(X), flat(P)
    M, N = F.shape
    one = np.eye(N)
    mean, other = F.mean(0), S.mean(0)
    K, A = (np.cov(each, rowvar=False, bias=True) + 1e-4 * one for each in (F, S))
    if steps is None:
        root = scipy.linalg.sqrtm(A).real
        outer = scipy.linalg.sqrtm(root @ K @ root).real
        slope = np.linalg.inv(outer)
    else:
        root = _stepped_root(A, steps)
        outer = _stepped_root(root @ K @ root, steps)
        slope = 2 * _stepped_lyapunov(outer, one, steps)
    T = root @ slope @ root
    bures = np.trace(K + A - 2 * outer)
    gradient = 2 / (N * M) * ((mean - other) + (F - mean) @ (one - (T + T.T) / 2))
    return (squared(mean - other) + bures) / N, gradient.reshape(X.shape)


def _stepped_root(A: np.ndarray, steps: int) -> np.ndarray:
    size, one = np.linalg.norm(A), np.eye(len(A))
    Y, Z = A / size, one
    for _ in range(steps):
        Y, Z = Y @ (3 * one - Z @ Y) / 2, (3 * one - Z @ Y) @ Z / 2
    return Y * np.sqrt(size)


def _stepped_lyapunov(R: np.ndarray, C: np.ndarray, steps: int) -> np.ndarray:
    """X of Rᵀ X + X R = C."""
    size, one = np.linalg.norm(R), np.eye(len(R))
    R, Q = R / size, C / size
    for _ in range(steps):
        E = 3 * one - R @ R
        Q, R = (Q @ E - R.T @ (R.T @ Q - Q @ R)) / 2, R @ E / 2
    return Q / 2


def mean_squared_distance(X: np.ndarray, P: np.ndarray) -> float:
    """Of all pairs of a position of X and one of P; 1 over it is the golden γ, and exp(−d²/(2
    mean)) has half of it.
    """
    return math.fsum(float((a - b) @ (a - b)) for a in flat(X) for b in flat(P)) / (
        len(flat(X)) * len(flat(P))
    )


def chain(
    X: np.ndarray, Y: np.ndarray, P: np.ndarray, Z: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Σ(G − A)² / (4 N N₂ M²), G = Xᵀ up(Y): value and the gradients of X and of the deeper layer's
    Y.

    P and Z are the style's features at the two layers, of another size if need be; `up` repeats
    each position of the deeper layer until it has the other's size."""
    up, up_style = enlarged(Y, X.shape[:2]), enlarged(Z, P.shape[:2])
    M, M_S, N, N2 = len(flat(X)), len(flat(P)), X.shape[-1], Y.shape[-1]
    difference = product(X, up) / M - product(P, up_style) / M_S
    of_x = flat(up) @ difference.T / (2 * N * N2 * M)
    of_up = (flat(X) @ difference / (2 * N * N2 * M)).reshape(up.shape)
    of_y = np.zeros(Y.shape)
    for row, column in np.ndindex(*up.shape[:2]):
        of_y[row * Y.shape[0] // up.shape[0], column * Y.shape[1] // up.shape[1]] += of_up[
            row, column
        ]
    return squared(difference) / (4 * N * N2), of_x.reshape(X.shape), of_y


def shifted_grams(
    X: np.ndarray,
    P: np.ndarray,
    shifts: Sequence[int] = (1,),
    T: np.ndarray | None = None,
    U: np.ndarray | None = None,
) -> Loss:
    """The mean over shifts, down and to the right, of Σ(G − A)² / (4N²), G the mean of x_k+δ x_kᵀ
    over pairs of positions, each weighing T_k T_k+δ (Berger and Memisevic 2017).
    """
    N, value, slope = X.shape[-1], 0.0, np.zeros(X.shape)
    steps = [step for shift in shifts for step in ((shift, 0), (0, shift))]

    def pairs(F: np.ndarray, t: np.ndarray | None, step: tuple[int, int]) -> list[tuple]:
        t = np.ones(F.shape[:2]) if t is None else t
        ends = [(k, (k[0] + step[0], k[1] + step[1])) for k in np.ndindex(*F.shape[:2])]
        ends = [(k, far) for k, far in ends if far[0] < F.shape[0] and far[1] < F.shape[1]]
        total = math.fsum(t[k] * t[far] for k, far in ends)
        return [(k, far, t[k] * t[far] / total) for k, far in ends]

    for step in steps:
        G, A = (
            sum(share * np.outer(F[far], F[k]) for k, far, share in pairs(F, t, step))
            for F, t in ((X, T), (P, U))
        )
        value += squared(G - A) / (4 * N**2) / len(steps)
        D = (G - A) / (2 * N**2) / len(steps)
        for k, far, share in pairs(X, T, step):
            slope[far] += share * D @ X[k]
            slope[k] += share * D.T @ X[far]
    return value, slope


def enlarged(F: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """F [h, w, N] at another height and width by its nearest position."""
    out = np.empty((*shape, F.shape[-1]))
    for row, column in np.ndindex(*shape):
        out[row, column] = F[row * F.shape[0] // shape[0], column * F.shape[1] // shape[1]]
    return out


def blended(
    X: np.ndarray, styles: Sequence[np.ndarray], weights: Sequence[float]
) -> tuple[float, float]:
    """The mean of (G − A)², Gram matrices over NM: with the targets blended, and with the losses
    blended.
    """

    def normalized(F: np.ndarray) -> np.ndarray:
        return product(F, F) / flat(F).size

    def loss(A: np.ndarray) -> float:
        return squared(normalized(X) - A) / A.size

    targets = [normalized(style) for style in styles]
    blend = sum(weight * A for weight, A in zip(weights, targets, strict=True))
    return loss(np.asarray(blend)), sum(
        weight * loss(A) for weight, A in zip(weights, targets, strict=True)
    )


def differences(
    value: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """The gradient of `value` by central differences, one element at a time."""
    gradient = np.zeros(at.shape)
    for index in np.ndindex(*at.shape):
        ends = []
        for sign in (1, -1):
            moved = at.astype(np.float64)
            moved[index] += sign * step
            ends.append(value(moved))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def _mmd(x: np.ndarray, p: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], float]) -> float:
    def average(a: np.ndarray, b: np.ndarray) -> float:
        return math.fsum(kernel(u, v) for u in a for v in b) / (len(a) * len(b))

    return average(x, x) + average(p, p) - 2 * average(x, p)


# Kolkin et al. 2019 (arXiv:1904.12785): sets of hypercolumns, one position after the other.


def _cosine(a: np.ndarray, b: np.ndarray) -> Loss:
    """1 − cos of two vectors, and its gradient with respect to the first."""
    long, other = math.sqrt(squared(a)), math.sqrt(squared(b))
    cosine = float(a @ b) / (long * other)
    return 1 - cosine, -(b / other - cosine * a / long) / long


# nkolkin13/STROTSS, utils.py
TO_YUV = np.array(
    [[0.57735, 0.57735, 0.57735], [-0.57735, 0.788675, -0.211325], [-0.57735, -0.211325, 0.788675]]
)


def _color(a: np.ndarray, b: np.ndarray) -> Loss:
    """Both costs of two colors, after the matrix: cosine, and the distance over √3."""
    a, b = TO_YUV @ a, TO_YUV @ b
    cosine, slope = _cosine(a, b)
    distance = math.sqrt(min(max(squared(a - b), 1e-5), 1e5) / 3)
    if 1e-5 < squared(a - b) < 1e5:
        slope = slope + (a - b) / (3 * distance)
    return cosine + distance, TO_YUV.T @ slope


def relaxed_emd(
    X: np.ndarray, P: np.ndarray, cost: Callable[[np.ndarray, np.ndarray], Loss] = _cosine
) -> Loss:
    """The larger of the mean distance to the nearest of the other set, from either side."""
    x, p = flat(X), flat(P)
    costs = [[cost(a, b) for b in p] for a in x]
    rows = [(i, min(range(len(p)), key=lambda j, i=i: costs[i][j][0])) for i in range(len(x))]
    columns = [(min(range(len(x)), key=lambda i, j=j: costs[i][j][0]), j) for j in range(len(p))]
    sides = []
    for pairs in (rows, columns):
        gradient = np.zeros_like(x)
        for i, j in pairs:
            gradient[i] += costs[i][j][1] / len(pairs)
        sides.append((sum(costs[i][j][0] for i, j in pairs) / len(pairs), gradient))
    value, gradient = max(sides, key=lambda side: side[0])
    return value, gradient.reshape(X.shape)


def palette(X: np.ndarray, P: np.ndarray) -> Loss:
    return relaxed_emd(X, P, _color)


def moments(X: np.ndarray, P: np.ndarray) -> Loss:
    """mean |μ − μ'| + mean |K − K'|."""
    x, p = flat(X), flat(P)
    M, N = x.shape
    mean, other = x.sum(0) / M, p.sum(0) / len(p)
    K = product(x - mean, x - mean) / M
    A = product(p - other, p - other) / len(p)
    gradient = np.sign(mean - other) / (M * N)
    gradient = gradient + 2 * (x - mean) @ np.sign(K - A) / (M * N**2)
    value = np.abs(mean - other).mean() + np.abs(K - A).mean()
    return float(value), gradient.reshape(X.shape)


def self_similarity(X: np.ndarray, P: np.ndarray) -> Loss:
    """Σ_ij |D_ij / Σ_i D_ij − D'_ij / Σ_i D'_ij| / M, D the cosine distances within X, D' in P."""
    x, p = flat(X), flat(P)
    M = len(x)
    D, other = (np.array([[_cosine(a, b)[0] for b in each] for a in each]) for each in (x, p))
    shares, wanted = D / D.sum(0), other / other.sum(0)
    sign = np.sign(shares - wanted)
    # d / dD_kj of Σ_i sign_ij D_ij / Σ_i D_ij
    W = (sign - (sign * shares).sum(0)) / D.sum(0) / M
    gradient = np.zeros_like(x)
    for i, j in itertools.product(range(M), range(M)):
        if i != j:
            gradient[i] += (W[i, j] + W[j, i]) * _cosine(x[i], x[j])[1]
    return float(np.abs(shares - wanted).sum()) / M, gradient.reshape(X.shape)


def local_affine(result: np.ndarray, content: np.ndarray, radius: int = 15) -> np.ndarray:
    """Luan et al. 2017, pixel by pixel: affine maps of windows of 3 × 3, then their mean over a
    radius; pictures in 0-255.
    """
    height, width = content.shape[:2]
    c, y = content / 256, result / 256
    places = np.array(list(np.ndindex(height, width)))
    A = np.zeros((height, width, 3, 4))
    for i, j in places:
        near = slice(max(0, i - 1), i + 2), slice(max(0, j - 1), j + 2)
        x, target = c[near].reshape(-1, 3), y[near].reshape(-1, 3)
        rows = np.vstack([np.c_[x, np.ones(len(x))], np.sqrt(1e-3) * np.eye(3, 4)])
        A[i, j] = np.linalg.lstsq(rows, np.vstack([target, np.zeros((3, 3))]), rcond=None)[0].T
    found = np.zeros_like(y)
    for i, j in places:
        away = np.abs(places - (i, j))
        weights = np.exp(-(away**2).sum(1) / 50) * (away.max(1) <= radius)
        weights *= np.exp(-((flat(c) - c[i, j]) ** 2).mean(1) / (2 * 0.01**2))
        mean = np.tensordot(weights, A.reshape(-1, 3, 4), 1) / weights.sum()
        found[i, j] = mean @ np.append(c[i, j], 1)
    return np.clip(256 * found, 0, 255)
