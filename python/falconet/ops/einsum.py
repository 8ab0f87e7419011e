"""Einstein summation and its relative, rearrangement by names of axes.

A product of two operands becomes one batched matmul: each axis is a batch axis (in both and in the result), a summed
axis (in both, not in the result) or a free axis (in one). Axes that one operand alone has and the result lacks are
summed before. More operands are multiplied from left to right, or smallest intermediate first where that is cheaper.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..tracing import symbolic
from .basic import common, core, size_of
from .indexing import diagonal


def _refuse(subscripts: str, why: str) -> None:
    raise ValueError(f"[einsum] `subscripts` is {subscripts!r}; {why}.")


@lru_cache(256)
def _parse(subscripts: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The axes of each operand and of the result, a letter each; an ellipsis becomes letters of its own."""
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        _refuse(subscripts, f"it names {len(terms)} operands, and {len(ranks)} came")
    spare = [c for c in map(chr, range(0x100, 0x200)) if c not in text]
    widest = max((r - len(t) + 3 for t, r in zip(terms, ranks, strict=True) if "..." in t), default=0)
    dots = "".join(spare[:widest])
    named = []
    for i, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        if "..." in term:
            extra = rank - len(term) + 3
            if extra < 0:
                _refuse(subscripts, f"operand {i} has {rank} axes, fewer than its term {term!r} names")
            term = term.replace("...", dots[widest - extra :], 1)
        if len(term) != rank:
            _refuse(subscripts, f"operand {i} has {rank} axes, its term {terms[i]!r} names {len(term)}")
        if not all(c.isalpha() for c in term):
            _refuse(subscripts, f"its term {terms[i]!r} must consist of letters and at most one '...'")
        named.append(term)
    joined = "".join(named)
    if arrow:
        output = output.replace("...", dots, 1)
        for c in output:
            if c not in joined:
                _refuse(subscripts, f"the result's axis {c!r} occurs in no operand")
        if len(set(output)) != len(output):
            _refuse(subscripts, "an axis occurs twice in the result")
    else:
        output = dots + "".join(sorted(c for c in set(joined) if joined.count(c) == 1 and c not in dots))
    return tuple(named), output


@symbolic
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sum of products by names of axes: einsum("bij,bjk->bik", x, y) is a batched matrix product.

    An axis named in operands but not in the result is summed; one named twice in an operand is its diagonal; "..."
    stands for further axes, which broadcast. Without "->" the result has the axes named once, in alphabetical order.
    """
    if kwargs.keys() - {"optimize"}:
        raise ValueError(f"[einsum] unknown arguments: {sorted(kwargs.keys() - {'optimize'})}.")
    xs = common(*operands)
    if xs[0].dtype == "int8":
        xs = [core.cast(x, dtype="int32") for x in xs]  # products of bytes do not fit into bytes
    terms, output = _parse(subscripts, tuple(len(x.shape) for x in xs))
    sizes = _sizes(subscripts, terms, xs)
    pairs = [_own_diagonals(term, x) for term, x in zip(terms, xs, strict=True)]
    while len(pairs) > 1:
        i, j = _next_pair([t for t, _ in pairs], output, sizes)
        right, left = pairs.pop(j), pairs.pop(i)
        pairs.append(_product(left, right, {c for t, _ in pairs for c in t} | set(output)))
    return _arrange(*pairs[0], output, sizes)


def _sizes(subscripts: str, terms: tuple[str, ...], xs: list[Any]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for i, (term, x) in enumerate(zip(terms, xs, strict=True)):
        for c, n in zip(term, x.shape, strict=True):
            known = sizes.get(c, 1)
            if n != known and 1 not in (n, known):
                _refuse(subscripts, f"axis {c!r} has size {n} in operand {i} {tuple(x.shape)} and {known} in another")
            sizes[c] = n if known == 1 else known
    return sizes


def _own_diagonals(term: str, x: Any) -> tuple[str, Any]:
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            a = term.index(c)
            b = term.index(c, a + 1)
            x = diagonal(x, 0, a, b)
            term = term[:a] + term[a + 1 : b] + term[b + 1 :] + c
    return term, x


def _next_pair(terms: list[str], output: str, sizes: dict[str, int]) -> tuple[int, int]:
    """The two operands whose product is smallest; the first two where there is no difference."""
    if len(terms) == 2:
        return 0, 1

    def cost(i: int, j: int) -> int:
        kept = set(output).union(*(t for k, t in enumerate(terms) if k not in (i, j)))
        return size_of(sizes[c] for c in (set(terms[i]) | set(terms[j])) & kept)

    return min(((i, j) for j in range(len(terms)) for i in range(j)), key=lambda p: (cost(*p), p[1], p[0]))


def _sum_axes(term: str, x: Any, gone: set[str]) -> tuple[str, Any]:
    axes = [a for a, c in enumerate(term) if c in gone]
    return ("".join(c for c in term if c not in gone), core.sum(x, axis=axes)) if axes else (term, x)


def _product(left: tuple[str, Any], right: tuple[str, Any], kept: set[str]) -> tuple[str, Any]:
    """The product of two operands, summed over the axes nobody else needs."""
    (a, x), (b, y) = left, right
    # An axis of size 1 against a longer one only broadcasts: without it, matmul's rules hold.
    a, x, b, y = _drop_ones(a, x, b, y)
    a, x = _sum_axes(a, x, set(a) - set(b) - kept)
    b, y = _sum_axes(b, y, set(b) - set(a) - kept)
    both = [c for c in a if c in b]
    batch, summed = [c for c in both if c in kept], [c for c in both if c not in kept]
    free_a, free_b = [c for c in a if c not in b], [c for c in b if c not in a]
    size = {c: n for t, v in ((a, x), (b, y)) for c, n in zip(t, v.shape, strict=True)}

    def arranged(term: str, v: Any, groups: list[list[str]]) -> Any:
        v = core.transpose(v, axes=tuple(term.index(c) for group in groups for c in group))
        return core.reshape(
            v, shape=(*(size[c] for c in groups[0]), *(size_of(size[c] for c in g) for g in groups[1:]))
        )

    if not summed:
        x = arranged(a, x, [batch, free_a, []])
        y = arranged(b, y, [batch, [], free_b])
        made = core.multiply(x, y)
    else:
        made = core.matmul(arranged(a, x, [batch, free_a, summed]), arranged(b, y, [batch, summed, free_b]))
    term = "".join(batch + free_a + free_b)
    return term, core.reshape(made, shape=tuple(size[c] for c in term))


def _drop_ones(a: str, x: Any, b: str, y: Any) -> tuple[str, Any, str, Any]:
    in_a, in_b = dict(zip(a, x.shape, strict=True)), dict(zip(b, y.shape, strict=True))

    def without(term: str, v: Any, own: dict[str, int], other: dict[str, int]) -> tuple[str, Any]:
        term_left = "".join(c for c in term if not (own[c] == 1 and other.get(c, 1) != 1))
        return (term_left, core.reshape(v, shape=tuple(own[c] for c in term_left))) if term_left != term else (term, v)

    a, x = without(a, x, in_a, in_b)
    b, y = without(b, y, in_b, in_a)
    return a, x, b, y


def _arrange(term: str, x: Any, output: str, sizes: dict[str, int]) -> Any:
    term, x = _sum_axes(term, x, set(term) - set(output))
    missing = "".join(c for c in output if c not in term)
    if missing:
        x = core.reshape(x, shape=(*x.shape, *(1 for _ in missing)))
        term += missing
    x = core.transpose(x, axes=tuple(term.index(c) for c in output))
    shape = tuple(sizes[c] for c in output)
    return x if tuple(x.shape) == shape else core.broadcast_to(x, shape=shape)


def _groups(pattern: str, side: str) -> list[list[str]]:
    """ "(h k) w" -> [["h", "k"], ["w"]]."""
    groups: list[list[str]] = []
    inside = False
    for token in side.replace("(", " ( ").replace(")", " ) ").split():
        if token in "()":
            if (token == "(") == inside:
                raise ValueError(f"[rearrange] `pattern` is {pattern!r}; its parentheses do not match.")
            inside = token == "("
            if inside:
                groups.append([])
        elif inside:
            groups[-1].append(token)
        else:
            groups.append([] if token == "1" else [token])
    if inside:
        raise ValueError(f"[rearrange] `pattern` is {pattern!r}; its parentheses do not match.")
    return groups


@symbolic
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Axes split, reordered and merged by name: rearrange(x, "b (h k) -> h b k", h=4)."""
    x = common(tensor)[0]
    left, arrow, right = pattern.partition("->")
    source, target = _groups(pattern, left), _groups(pattern, right)
    names, wanted = [n for g in source for n in g], [n for g in target for n in g]
    if not arrow or sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        raise ValueError(
            f"[rearrange] `pattern` is {pattern!r}; both sides of '->' must name the same axes, once each."
        )
    if len(source) != len(x.shape):
        raise ValueError(f"[rearrange] `pattern` {pattern!r} names {len(source)} axes; the tensor is {tuple(x.shape)}.")
    sizes = {n: int(v) for n, v in axes_lengths.items()}
    for group, n in zip(source, x.shape, strict=True):
        unknown = [name for name in group if name not in sizes]
        rest = size_of(sizes[name] for name in group if name in sizes)
        if len(unknown) > 1 or (n % rest if unknown and rest else n != rest):
            raise ValueError(
                f"[rearrange] `pattern` is {pattern!r}: the axis ({' '.join(group)}) has size {n}, known lengths are"
                f" {sizes}; all but one must be given, and their product fit."
            )
        if unknown:
            sizes[unknown[0]] = n // rest
    x = core.reshape(x, shape=tuple(sizes[n] for n in names))
    x = core.transpose(x, axes=tuple(names.index(n) for n in wanted))
    return core.reshape(x, shape=tuple(size_of(sizes[n] for n in g) for g in target))
