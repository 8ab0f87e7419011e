"""One call of every op, as a function of the module that offers it and of a maker of arrays.

Each row is (op, call). `call(o, x)` applies the op with o = falconet.ops or keras.ops; x(2, 3) makes an array of that
shape in the dtype under test, `x.like("int32", 2, 3)` one in a given dtype, with values 1, 2, 3, ... below 5. Read by
make_golden_ops.py (dtypes according to Keras), and by the tests of dtypes and of symbolic shapes.
"""

from __future__ import annotations

DTYPES = (
    "bool uint8 uint16 uint32 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()  # uint64: no Keras table
)

UNARY = """abs absolute angle arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil conj conjugate copy cos cosh
 deg2rad erf erfc erfinv exp exp2 expm1 fabs floor i0 imag isfinite isinf isnan isneginf isposinf isreal log log10 log1p
 log2 logical_not nan_to_num negative rad2deg real reciprocal round rsqrt sign signbit sin sinc sinh sqrt square
 stop_gradient tan tanh trunc ravel
 relu relu6 leaky_relu elu celu selu gelu silu swish log_sigmoid sigmoid softplus softsign hard_sigmoid hard_silu
 hard_swish hard_tanh hard_shrink soft_shrink tanh_shrink squareplus sparse_plus sparse_sigmoid softmax log_softmax
 sparsemax normalize""".split()

BINARY = """add subtract multiply divide true_divide floor_divide mod fmod power minimum maximum fmin fmax arctan2
 hypot nextafter logaddexp logaddexp2 heaviside divide_no_nan equal not_equal less less_equal greater greater_equal
 logical_and logical_or logical_xor isclose bitwise_and bitwise_or bitwise_xor left_shift right_shift bitwise_left_shift
 bitwise_right_shift gcd lcm""".split()

BITWISE = ("bitwise_invert", "bitwise_not")

REDUCTIONS = """all any sum prod mean max min amax amin ptp std var median nansum nanprod nanmean nanmax nanmin nanstd
 nanvar nanmedian argmax argmin nanargmax nanargmin logsumexp""".split()


def _unary(name):
    return lambda o, x: getattr(o, name)(x(2, 3))


def _binary(name):
    return lambda o, x: getattr(o, name)(x(2, 3), x(2, 3))


def _reduction(name):
    return lambda o, x: getattr(o, name)(x(2, 3), axis=1)


CALLS = [
    *((name, _unary(name)) for name in (*UNARY, *BITWISE)),
    *((name, _binary(name)) for name in BINARY),
    *((name, _reduction(name)) for name in REDUCTIONS),
    ("allclose", lambda o, x: o.allclose(x(2, 3), x(2, 3))),
    ("append", lambda o, x: o.append(x(2, 3), x(2, 3), axis=0)),
    ("argpartition", lambda o, x: o.argpartition(x(2, 3), 1)),
    ("argsort", lambda o, x: o.argsort(x(2, 3))),
    ("array", lambda o, x: o.array(x(2, 3))),
    ("array_split", lambda o, x: o.array_split(x(2, 3), 2, axis=1)),
    ("average", lambda o, x: o.average(x(2, 3), axis=1)),
    ("average", lambda o, x: o.average(x(2, 3), axis=1, weights=x(2, 3))),
    ("average", lambda o, x: o.average(x(2, 3), axis=1, weights=x(3))),
    ("broadcast_to", lambda o, x: o.broadcast_to(x(2, 3), (4, 2, 3))),
    ("cast", lambda o, x: o.cast(x(2, 3), "float16")),
    ("cdist", lambda o, x: o.cdist(x(2, 3), x(4, 3))),
    ("clip", lambda o, x: o.clip(x(2, 3), 1, 2)),
    ("concatenate", lambda o, x: o.concatenate([x(2, 3), x(2, 3)], axis=1)),
    ("convert_to_tensor", lambda o, x: o.convert_to_tensor(x(2, 3))),
    ("corrcoef", lambda o, x: o.corrcoef(x(3, 5))),
    ("correlate", lambda o, x: o.correlate(x(5), x(3))),
    ("correlate", lambda o, x: o.correlate(x(3), x(5), mode="same")),
    ("correlate", lambda o, x: o.correlate(x(5), x(2), mode="full")),
    ("count_nonzero", lambda o, x: o.count_nonzero(x(2, 3), axis=1)),
    ("cross", lambda o, x: o.cross(x(2, 3), x(2, 3))),
    ("cross", lambda o, x: o.cross(x(4, 2), x(4, 2))),
    ("cross", lambda o, x: o.cross(x(3, 4), x(3, 4), axis=0)),
    ("cumprod", lambda o, x: o.cumprod(x(2, 3), axis=1)),
    ("cumsum", lambda o, x: o.cumsum(x(2, 3), axis=0)),
    ("cumsum", lambda o, x: o.cumsum(x(2, 3), axis=0, dtype="float16")),
    ("depth_to_space", lambda o, x: o.depth_to_space(x(1, 2, 2, 8), 2)),
    ("depth_to_space", lambda o, x: o.depth_to_space(x(1, 8, 2, 3), 2, data_format="channels_first")),
    ("diag", lambda o, x: o.diag(x(3), 1)),
    ("diag", lambda o, x: o.diag(x(3), -2)),
    ("diag", lambda o, x: o.diag(x(3, 4), -1)),
    ("diagflat", lambda o, x: o.diagflat(x(2, 2))),
    ("diagonal", lambda o, x: o.diagonal(x(2, 3, 4), 1, 2, 1)),
    ("diff", lambda o, x: o.diff(x(2, 5), n=2)),
    ("digitize", lambda o, x: o.digitize(x(2, 3), x.like("float32", 3))),
    ("dot", lambda o, x: o.dot(x(2, 3), x(3, 4))),
    ("dot", lambda o, x: o.dot(x(2, 3), x(4, 3, 5))),
    ("dot_product_attention", lambda o, x: o.dot_product_attention(x(2, 3, 4, 8), x(2, 5, 2, 8), x(2, 5, 2, 8))),
    (
        "dot_product_attention",
        lambda o, x: o.dot_product_attention(
            x(2, 3, 2, 8), x(2, 5, 2, 8), x(2, 5, 2, 8), bias=x(1, 1, 3, 5), is_causal=True
        ),
    ),
    ("dsplit", lambda o, x: o.dsplit(x(2, 3, 4), 2)),
    ("dstack", lambda o, x: o.dstack([x(2, 3), x(2, 3)])),
    ("einsum", lambda o, x: o.einsum("bij,bjk->bik", x(2, 3, 4), x(2, 4, 5))),
    ("einsum", lambda o, x: o.einsum("...i,ij->...j", x(2, 3, 4), x(4, 5))),
    ("einsum", lambda o, x: o.einsum("ii->i", x(3, 3))),
    ("einsum", lambda o, x: o.einsum("ij,jk,kl->il", x(2, 3), x(3, 4), x(4, 2))),
    ("einsum", lambda o, x: o.einsum("ba", x(2, 3))),
    ("empty_like", lambda o, x: o.empty_like(x(2, 3))),
    ("expand_dims", lambda o, x: o.expand_dims(x(2, 3), (0, -1))),
    ("extract_sequences", lambda o, x: o.extract_sequences(x(2, 9), 4, 2)),
    ("flip", lambda o, x: o.flip(x(2, 3), axis=1)),
    ("flip", lambda o, x: o.flip(x(2, 3))),
    ("fliplr", lambda o, x: o.fliplr(x(2, 3))),
    ("flipud", lambda o, x: o.flipud(x(2, 3))),
    ("fold", lambda o, x: o.fold(x(1, 8, 9), (4, 4), 2)),
    ("fold", lambda o, x: o.fold(x(2, 6, 6), (5, 6), (3, 2), (1, 2), (1, 0), (2, 2))),
    ("full_like", lambda o, x: o.full_like(x(2, 3), 2)),
    ("get_item", lambda o, x: o.get_item(x(4, 3), (slice(1, 3), None, -1))),
    ("glu", lambda o, x: o.glu(x(2, 4))),
    ("histogram", lambda o, x: o.histogram(x(9), bins=4)),
    ("histogram", lambda o, x: o.histogram(x(9), bins=3, range=(2, 4))),
    ("hsplit", lambda o, x: o.hsplit(x(2, 4), [1, 3])),
    ("hstack", lambda o, x: o.hstack([x(2, 3), x(2, 1)])),
    ("hstack", lambda o, x: o.hstack([x(2), x(3)])),
    ("in_top_k", lambda o, x: o.in_top_k(x.like("int32", 2), x(2, 5), 2)),
    ("inner", lambda o, x: o.inner(x(2, 3), x(4, 3))),
    ("isin", lambda o, x: o.isin(x(2, 3), x(2))),
    ("isin", lambda o, x: o.isin(x(2, 3), x(2), invert=True)),
    ("kron", lambda o, x: o.kron(x(2, 3), x(2, 2))),
    ("kron", lambda o, x: o.kron(x(3), x(2, 2))),
    ("layer_normalization", lambda o, x: o.layer_normalization(x(2, 3), x(3), x(3))),
    ("layer_normalization", lambda o, x: o.layer_normalization(x(2, 3, 4), axis=(1, 2))),
    ("layer_normalization", lambda o, x: o.layer_normalization(x(2, 3, 4), x(3), x(3), axis=1)),
    ("ldexp", lambda o, x: o.ldexp(x(2, 3), x.like("int32", 2, 3))),
    ("max", lambda o, x: o.max(x(2, 3), initial=2)),
    ("min", lambda o, x: o.min(x(2, 3), axis=0, initial=2)),
    ("matmul", lambda o, x: o.matmul(x(2, 3), x(3, 4))),
    ("meshgrid", lambda o, x: o.meshgrid(x(2), x(3), x(4))),
    ("moments", lambda o, x: o.moments(x(2, 3), axes=[0])),
    ("moments", lambda o, x: o.moments(x(2, 3), axes=[0, 1], keepdims=True)),
    ("moveaxis", lambda o, x: o.moveaxis(x(2, 3, 4), (0, 1), (-1, 0))),
    ("nancumprod", lambda o, x: o.nancumprod(x(2, 3), axis=1)),
    ("nancumsum", lambda o, x: o.nancumsum(x(2, 3), axis=1)),
    ("nanpercentile", lambda o, x: o.nanpercentile(x(2, 5), 30.0, axis=1)),
    ("nanquantile", lambda o, x: o.nanquantile(x(2, 5), 0.3, axis=1)),
    ("nonzero", lambda o, x: o.nonzero(x(2, 3))),
    ("norm", lambda o, x: o.norm(x(2, 3))),
    ("norm", lambda o, x: o.norm(x(2, 3), ord=1, axis=1)),
    ("norm", lambda o, x: o.norm(x(2, 3), ord=3, axis=0, keepdims=True)),
    ("norm", lambda o, x: o.norm(x(2, 3), ord="fro")),
    ("norm", lambda o, x: o.norm(x(2, 3, 4), ord=1, axis=(0, 2))),
    ("normalize", lambda o, x: o.normalize(x(2, 3), order=3)),
    ("one_hot", lambda o, x: o.one_hot(x(2, 3), 4)),
    ("one_hot", lambda o, x: o.one_hot(x.like("int32", 2, 3), 4, axis=0, dtype="int32")),
    ("multi_hot", lambda o, x: o.multi_hot(x.like("int32", 2, 3), 6)),
    ("ones_like", lambda o, x: o.ones_like(x(2, 3))),
    ("outer", lambda o, x: o.outer(x(2, 3), x(2))),
    ("pad", lambda o, x: o.pad(x(2, 3), ((0, 1), (2, 0)))),
    ("pad", lambda o, x: o.pad(x(2, 3), 1, constant_values=2)),
    ("pad", lambda o, x: o.pad(x(2, 3), ((0, 1), (2, 0)), mode="reflect")),
    ("percentile", lambda o, x: o.percentile(x(2, 5), 30.0, axis=1)),
    ("psnr", lambda o, x: o.psnr(x(2, 3), x(2, 3) * x(1, 1) + x(1, 1), 5.0)),
    ("quantile", lambda o, x: o.quantile(x(2, 5), 0.3, axis=1)),
    ("quantile", lambda o, x: o.quantile(x(2, 5), [0.2, 0.9], axis=1, keepdims=True)),
    ("quantile", lambda o, x: o.quantile(x(2, 5), 0.6, method="nearest")),
    ("rearrange", lambda o, x: o.rearrange(x(2, 6), "b (h k) -> h b k", h=2)),
    ("repeat", lambda o, x: o.repeat(x(2, 3), 2, axis=1)),
    ("repeat", lambda o, x: o.repeat(x(2, 3), [1, 2, 0], axis=1)),
    ("reshape", lambda o, x: o.reshape(x(2, 3), (3, -1))),
    ("rms_normalization", lambda o, x: o.rms_normalization(x(2, 3), x(3))),
    ("rms_normalization", lambda o, x: o.rms_normalization(x(2, 3))),
    ("batch_normalization", lambda o, x: o.batch_normalization(x(2, 3), x(3), x(3), -1, x(3), x(3))),
    ("roll", lambda o, x: o.roll(x(2, 3), 1)),
    ("roll", lambda o, x: o.roll(x(2, 3), (1, -2), (0, 1))),
    ("rot90", lambda o, x: o.rot90(x(2, 3))),
    ("rot90", lambda o, x: o.rot90(x(2, 3, 4), 3, (1, 2))),
    ("round", lambda o, x: o.round(x(2, 3), 1)),
    ("round", lambda o, x: o.round(x(2, 3), -1)),
    ("saturate_cast", lambda o, x: o.saturate_cast(x(2, 3), "uint8")),
    ("scatter", lambda o, x: o.scatter(x.like("int32", 2, 1), x(2, 3), (6, 3))),
    ("scatter_update", lambda o, x: o.scatter_update(x(5, 3), x.like("int32", 2, 1), x(2, 3))),
    ("scatter_update", lambda o, x: o.scatter_update(x(5, 5), x.like("int32", 2, 2), x(2), reduction="max")),
    ("searchsorted", lambda o, x: o.searchsorted(x(4), x(2, 3), side="right")),
    ("segment_max", lambda o, x: o.segment_max(x(4, 3), x.like("int32", 4), 6)),
    ("segment_min", lambda o, x: o.segment_min(x(4, 3), x.like("int32", 4), 6)),
    ("segment_prod", lambda o, x: o.segment_prod(x(4, 3), x.like("int32", 4), 6)),
    ("segment_sum", lambda o, x: o.segment_sum(x(4, 3), x.like("int32", 4), 6)),
    ("select", lambda o, x: o.select([x(2, 3) > 2, x(2, 3) > 1], [x(2, 3), x(2, 3)], 0)),
    ("slice", lambda o, x: o.slice(x(4, 3), (1, 0), (2, 3))),
    ("slice_update", lambda o, x: o.slice_update(x(4, 3), (1, 0), x(2, 3))),
    ("softmax", lambda o, x: o.softmax(x(2, 3, 4), axis=(0, 2))),
    ("sort", lambda o, x: o.sort(x(2, 3), axis=0)),
    ("space_to_depth", lambda o, x: o.space_to_depth(x(1, 4, 4, 2), 2)),
    ("split", lambda o, x: o.split(x(2, 6), [1, 3], axis=1)),
    ("split", lambda o, x: o.split(x(2, 6), 3, axis=1)),
    ("squeeze", lambda o, x: o.squeeze(x(2, 1, 3), 1)),
    ("stack", lambda o, x: o.stack([x(2, 3), x(2, 3)], axis=-1)),
    ("swapaxes", lambda o, x: o.swapaxes(x(2, 3, 4), 0, -1)),
    ("take", lambda o, x: o.take(x(6, 3), x.like("int32", 2), axis=0)),
    ("take", lambda o, x: o.take(x(2, 3), x.like("int32", 2, 2))),
    ("take_along_axis", lambda o, x: o.take_along_axis(x(6, 3), x.like("int32", 2, 3), axis=0)),
    ("tensordot", lambda o, x: o.tensordot(x(2, 3, 4), x(3, 4, 5))),
    ("tensordot", lambda o, x: o.tensordot(x(2, 3, 4), x(4, 2), ((0, 2), (1, 0)))),
    ("threshold", lambda o, x: o.threshold(x(2, 3), 2, 0)),
    ("tile", lambda o, x: o.tile(x(2, 3), (2, 1, 2))),
    ("top_k", lambda o, x: o.top_k(x(2, 5), 2)),
    ("trace", lambda o, x: o.trace(x(3, 3))),
    ("transpose", lambda o, x: o.transpose(x(2, 3, 4))),
    ("transpose", lambda o, x: o.transpose(x(2, 3, 4), (1, 0, 2))),
    ("trapezoid", lambda o, x: o.trapezoid(x(2, 5))),
    ("trapezoid", lambda o, x: o.trapezoid(x(2, 5), x(2, 5), axis=0)),
    ("tril", lambda o, x: o.tril(x(2, 3, 4), 1)),
    ("triu", lambda o, x: o.triu(x(3, 4), -1)),
    ("unfold", lambda o, x: o.unfold(x(1, 2, 4, 4), 2)),
    ("unfold", lambda o, x: o.unfold(x(2, 1, 5, 6), (3, 2), (1, 2), (1, 0), (2, 2))),
    ("unique", lambda o, x: o.unique(x(2, 3))),
    ("unique", lambda o, x: o.unique(x(2, 3), return_index=True, return_inverse=True, return_counts=True)),
    ("unique", lambda o, x: o.unique(x(2, 3), size=5, fill_value=0, return_counts=True)),
    ("unravel_index", lambda o, x: o.unravel_index(x.like("int32", 4), (2, 3))),
    ("unstack", lambda o, x: o.unstack(x(2, 3), axis=1)),
    ("vander", lambda o, x: o.vander(x(3))),
    ("vander", lambda o, x: o.vander(x(3), 4, increasing=True)),
    ("vdot", lambda o, x: o.vdot(x(2, 3), x(2, 3))),
    ("vsplit", lambda o, x: o.vsplit(x(4, 3), 2)),
    ("vstack", lambda o, x: o.vstack([x(3), x(3)])),
    ("where", lambda o, x: o.where(x(2, 3) > 2, x(2, 3), 0)),
    ("where", lambda o, x: o.where(x(2, 3) > 2, x(2, 3), 0.5)),
    ("where", lambda o, x: o.where(x(2, 3) > 2)),
    ("zeros_like", lambda o, x: o.zeros_like(x(2, 3))),
    ("binary_crossentropy", lambda o, x: o.binary_crossentropy(x(2, 3), x(2, 3), from_logits=True)),
    ("binary_crossentropy", lambda o, x: o.binary_crossentropy(x(2, 3), x(2, 3))),
    ("categorical_crossentropy", lambda o, x: o.categorical_crossentropy(x(2, 3), x(2, 3))),
    ("categorical_crossentropy", lambda o, x: o.categorical_crossentropy(x(2, 3), x(2, 3), from_logits=True)),
    (
        "sparse_categorical_crossentropy",
        lambda o, x: o.sparse_categorical_crossentropy(x.like("int32", 2), x(2, 5), from_logits=True),
    ),
    ("sparse_categorical_crossentropy", lambda o, x: o.sparse_categorical_crossentropy(x.like("int32", 2, 1), x(2, 5))),
    ("bincount", lambda o, x: o.bincount(x.like("int32", 6), minlength=7)),
    ("bincount", lambda o, x: o.bincount(x.like("int32", 6), weights=x(6))),
    ("bincount", lambda o, x: o.bincount(x.like("int32", 2, 6))),
    ("map", lambda o, x: o.map(lambda v: v + v, x(2, 3))),
    ("vectorized_map", lambda o, x: o.vectorized_map(lambda v: o.sum(v), x(2, 3))),
    ("associative_scan", lambda o, x: o.associative_scan(lambda a, b: a + b, x(5, 2))),
    ("associative_scan", lambda o, x: o.associative_scan(lambda a, b: a + b, x(2, 5), reverse=True, axis=1)),
    ("fori_loop", lambda o, x: o.fori_loop(0, 3, lambda i, v: v + v, x(2, 3))),
    ("cond", lambda o, x: o.cond(True, lambda: x(2, 3), lambda: x(2, 3))),
    ("switch", lambda o, x: o.switch(1, [lambda v: v, lambda v: v + v], x(2, 3))),
    ("scan", lambda o, x: o.scan(lambda c, v: (c + v, c), x(3), x(2, 3))),
    ("while_loop", lambda o, x: o.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v + v), (0, x(2, 3)))),
    ("vectorize", lambda o, x: o.vectorize(lambda a, b: a + b)(x(2, 3), x(3))),
]

# Ops that make arrays: the dtype under test is an argument, or none is given.
MAKERS = [
    ("arange", lambda o, d: o.arange(5, dtype=d)),
    ("arange", lambda o, d: o.arange(2, 9, 3, dtype=d)),
    ("empty", lambda o, d: o.zeros_like(o.empty((2, 3), dtype=d))),
    ("eye", lambda o, d: o.eye(3, 4, 1, dtype=d)),
    ("full", lambda o, d: o.full((2, 3), 2, dtype=d)),
    ("geomspace", lambda o, d: o.geomspace(1, 16, 5, dtype=d)),
    ("identity", lambda o, d: o.identity(3, dtype=d)),
    ("linspace", lambda o, d: o.linspace(0, 4, 5, dtype=d)),
    ("linspace", lambda o, d: o.linspace(0, 4, 3, endpoint=False, dtype=d)),
    ("logspace", lambda o, d: o.logspace(0, 3, 4, base=2, dtype=d)),
    ("ones", lambda o, d: o.ones((2, 3), dtype=d)),
    ("tri", lambda o, d: o.tri(3, 4, 1, dtype=d)),
    ("zeros", lambda o, d: o.zeros((2, 3), dtype=d)),
    ("bartlett", lambda o, d: o.bartlett(7)),
    ("blackman", lambda o, d: o.blackman(7)),
    ("hamming", lambda o, d: o.hamming(7)),
    ("hanning", lambda o, d: o.hanning(7)),
    ("kaiser", lambda o, d: o.kaiser(7, 2.0)),
]
