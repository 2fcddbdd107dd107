"""The content and the style loss of one layer, with gradients that save memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from stn.backend import Tensor, tf
from stn.loss import losses
from stn.loss.statistics import Context, Statistic
from stn.objective import features
from stn.objective.specification import Formula


class Comparison(NamedTuple):
    """What a style target compares: a statistic, of the term of that number.

    `joins` are the layers whose hypercolumns it is of, and `region` is the place of its region
    among those at whose positions they are drawn."""

    statistic: Statistic
    term: int
    joins: tuple[str, ...] = ()
    region: int = 0


class Goal(NamedTuple):
    """A style target at one layer: the fields of its `Comparison`, the statistic A that is asked
    for, its share of the layer's loss, guide T, and the principal components V that are compared.
    """

    statistic: Statistic
    term: int
    joins: tuple[str, ...]
    region: int
    A: Any  # a tensor, or a tuple where the statistic pools copies
    share: Tensor
    T: Tensor | None
    V: Tensor | None  # None: all


class LayerLosses(NamedTuple):
    """The losses of one layer: P its content target or None, `goals` its style targets, of so many
    `terms`.
    """

    formula: Formula
    directions: Tensor | None
    P: Tensor | None
    goals: Sequence[Goal]
    positions: Tensor
    terms: int

    def content_loss(self, F: Tensor) -> Tensor:
        """The content loss of features F [1, h, w, N]; 0 without a target."""
        if self.P is None:
            return tf.zeros(())
        return losses.content(F, self.P, self.formula.content_reduction)

    def style_loss(self, found: Sequence[Tensor]) -> Tensor:
        """Σ share · loss of the statistics `found`, of each term [terms]."""
        reduction, positions = self.formula.style_reduction, self.positions
        each: list[list[Tensor]] = [[] for _ in range(self.terms)]
        for G, goal in zip(found, self.goals, strict=True):
            loss = goal.statistic.loss(G, goal.A, reduction, positions, goal.V)
            each[goal.term].append(goal.share * loss)
        return tf.stack([tf.add_n(losses) if losses else tf.zeros(()) for losses in each])

    def with_late_gradient(self, F: Tensor, before: Sequence[Tensor]) -> Any:
        """The features F [1, h, w, N] and the two losses, whose gradients are computed on the way
        back, to save memory.
        """

        @tf.custom_gradient
        def noted(F: Tensor, *before: Tensor) -> tuple[Any, Any]:
            found = [goal.statistic.of(F, self._context(goal, before)) for goal in self.goals]
            with tf.GradientTape() as of_style:
                of_style.watch(found)
                E = self.style_loss(found)

            def gradient(dF: Tensor, dC: Tensor, dE: Tensor) -> Any:
                # Left alone TensorFlow computes these products, as large as F, in the forward pass
                # and keeps all.
                with tf.control_dependencies([dF]):
                    late = tf.identity(F)
                with tf.GradientTape() as of_content:
                    of_content.watch(late)
                    C = self.content_loss(late)
                parts = [dF] if self.P is None else [dF, of_content.gradient(C, late, dC)]
                slopes = of_style.gradient(E, found, dE)
                to_before = [tf.zeros_like(x) for x in before]
                for goal, dG in zip(self.goals, slopes, strict=True):
                    part, *rest = self._gradient(goal, late, before, dG)
                    parts.append(part)
                    if rest:
                        to_before = [x + dx for x, dx in zip(to_before, rest, strict=True)]
                return (tf.add_n(parts), *to_before) if before else tf.add_n(parts)

            return (F, self.content_loss(F), E), gradient

        return noted(F, *before)

    def _context(self, goal: Goal, before: Sequence[Tensor]) -> Context:
        return features.context_of(self.formula, goal.statistic, self.directions, goal.T, before)

    def _gradient(
        self, goal: Goal, F: Tensor, before: Sequence[Tensor], dG: Tensor
    ) -> list[Tensor]:
        """The gradient with respect to F, given that with respect to its statistic, and for a
        statistic that is handed something also with respect to that.
        """
        statistic = goal.statistic
        if statistic.gram_features is None:
            watched = (F, *before) if statistic.hands_on is not None else (F,)
            with tf.GradientTape() as tape:
                tape.watch(watched)
                G = statistic.of(F, self._context(goal, before))
            zero = tf.UnconnectedGradients.ZERO
            return list(tape.gradient(G, watched, dG, unconnected_gradients=zero))
        with tf.GradientTape() as tape:
            tape.watch(F)
            X = statistic.gram_features(F, self._context(goal, before))
        divisor = statistic.divisor(self.formula.gram_divisor)
        dX = losses.gram_gradient(X, dG, divisor, guided=goal.T is not None)
        return [dX if X is F else tape.gradient(X, F, dX)]
