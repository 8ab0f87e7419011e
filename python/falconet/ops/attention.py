"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import result_type
from ..tracing import symbolic
from .basic import common, core, dtype_range, tensor
from .creation import tri


@symbolic
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """softmax(query key^T scale + bias) value for each head (Vaswani et al. 2017, equation 1).

    Shapes: query (B, T, N, H); key and value (B, S, K, H), N a multiple of K: each key head serves N / K query heads;
    bias and mask broadcast to (B, N, T, S); the result is (B, T, N, H). scale is 1 / sqrt(H) if None. Where the mask is
    False, and with is_causal where s > t, there is no attention. attn_logits_soft_cap c bounds logits: z becomes
    c tanh(z / c). Logits and softmax are computed in float32 at least.
    """
    if flash_attention:
        raise ValueError(
            "[dot_product_attention] `flash_attention` is True; there is one implementation: leave it None."
        )
    query, key, value = common(query, key, value)
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if not len(query.shape) == len(key.shape) == len(value.shape) == 4:
        raise ValueError(f"[dot_product_attention] {shapes}; each needs 4 axes: (batch, positions, heads, size).")
    b, t, n, h = query.shape
    s, k = key.shape[1:3]
    if (b, h) != (key.shape[0], key.shape[3]) or tuple(value.shape[:3]) != (b, s, k) or k == 0 or n % k:
        raise ValueError(
            f"[dot_product_attention] {shapes}; batches, sizes of query and key, and positions and heads of key and"
            " value must agree, and the query's heads be a multiple of theirs."
        )
    kind = query.dtype
    wide = result_type(kind, "float32")
    scale = 1.0 / math.sqrt(h) if scale is None else scale
    # Query heads that share a key head are further rows of one matrix product.
    q = core.reshape(core.transpose(query, axes=(0, 2, 1, 3)), shape=(b, k, n // k * t, h))
    logits = tensor(core.matmul(q, core.transpose(key, axes=(0, 2, 3, 1))), wide) * scale
    logits = core.reshape(logits, shape=(b, n, t, s))
    if attn_logits_soft_cap is not None:
        logits = core.tanh(logits / attn_logits_soft_cap) * attn_logits_soft_cap
    if bias is not None:
        logits = logits + tensor(bias, wide)
    if is_causal:
        allowed = tri(t, s, dtype="bool")
        mask = allowed if mask is None else core.logical_and(mask, allowed)
    if mask is not None:
        # Far below every logit, but finite: a row with nothing allowed attends evenly instead of giving NaN.
        logits = core.where(mask, logits, 0.7 * dtype_range(wide)[0])
    shares = tensor(core.softmax(logits, axis=-1), kind)
    shares = core.reshape(shares, shape=(b, k, n // k * t, s))
    mixed = tensor(core.matmul(shares, core.transpose(value, axes=(0, 2, 1, 3))), kind)
    return core.transpose(core.reshape(mixed, shape=(b, n, t, value.shape[3])), axes=(0, 2, 1, 3))
