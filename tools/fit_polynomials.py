"""Fits the polynomials of cpp/kernels/bodies/math_coefficients.h and prints that file.

Each polynomial h(t) interpolates its target at the Chebyshev nodes of its range, in 60-digit arithmetic: within a
factor of about two of the best one. The error stated beside it is that of the whole formula, relative to the function,
on a grid, after the coefficients were rounded to the type they are stored in.

    python tools/fit_polynomials.py > cpp/kernels/bodies/math_coefficients.h
"""

import struct

from mpmath import (
    asin,
    atan,
    atanh,
    cos,
    erf,
    erfc,
    erfinv,
    exp,
    expm1,
    log,
    lu_solve,
    matrix,
    mp,
    mpf,
    pi,
    polyval,
    sin,
    sqrt,
    tanh,
)

mp.dps = 60


def rounded(value, kind):
    """`value` as the nearest float or double."""
    return mpf(struct.unpack("f", struct.pack("f", value))[0]) if kind == "float" else mpf(float(value))


STEP = mpf(10) ** -15


def limit_series(f, t, step=STEP):
    """f(t), where f may divide 0 by 0 at t = 0."""
    return f(t) if abs(t) > step else f(step)


def fit(h, low, high, degree, kind):
    """Coefficients of h on [low, high], constant first."""
    low, high = mpf(low), mpf(high)
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * k + 1) / (2 * degree + 2)) for k in range(degree + 1)]
    system = matrix(degree + 1, degree + 1)
    for row, t in enumerate(nodes):
        for column in range(degree + 1):
            system[row, column] = t**column
    solution = lu_solve(system, matrix([limit_series(h, t) for t in nodes]))
    return [rounded(c, kind) for c in solution]


def worst(formula, f, low, high, steps=400):
    """Largest relative error of formula(x) as f(x)."""
    low, high = mpf(low), mpf(high)
    result = mpf(0)
    for k in range(steps + 1):
        x = low + (high - low) * k / steps
        if f(x) != 0:
            result = max(result, abs(formula(x) / f(x) - 1))
    return result


# The erfc formula is erfc(x) = exp(-x^2) h(t), t = (x - 2) / (x + 2); the inverse is x = 2 (1 + t) / (1 - t).
def scaled_erfc(t):
    x = 2 * (1 + t) / (1 - t)
    return erfc(x) * exp(x * x)


# With w = -log(1 - x^2), x in terms of w; near 0 by expm1.
def inverse_error_over_x(w):
    x = sqrt(-expm1(-w))
    tail = erfinv(x) if x < 0.99 else inverse_from_tail(exp(-w))
    return tail / x


def inverse_from_tail(product):
    """erfinv(x) where 1 - x^2 = product is small: Newton's method on log(erfc)."""
    complement = product / (1 + sqrt(1 - product))  # 1 - x
    y = sqrt(-log(complement))
    for _ in range(60):
        step = (log(erfc(y)) - log(complement)) * erfc(y) / (-2 / sqrt(pi) * exp(-y * y))
        y -= step
        if abs(step) < mpf(10) ** -40:
            break
    return y


LN2 = log(mpf(2))
ROOT_HALF, ROOT_TWO = sqrt(mpf(1) / 2), sqrt(mpf(2))
S = (3 - 2 * ROOT_TWO) ** 2  # the square of the largest s = (m - 1) / (m + 1) for m in [sqrt(1/2), sqrt(2)]
TAN = (ROOT_TWO - 1) ** 2  # tan(pi / 8)^2

# name, type, degree, range of t, h(t), range of x, formula(x, h), f(x), words
ROWS = [
    (
        "kExp32",
        "float",
        4,
        -LN2 / 2,
        LN2 / 2,
        lambda r: (exp(r) - 1 - r) / r**2,
        -LN2 / 2,
        LN2 / 2,
        lambda r, h: 1 + r + r * r * h(r),
        exp,
        "exp(r) = 1 + r + r^2 h(r), |r| <= log(2) / 2",
    ),
    (
        "kExpTwo32",
        "float",
        5,
        -0.5,
        0.5,
        lambda r: (2**r - 1) / r,
        -0.5,
        0.5,
        lambda r, h: 1 + r * h(r),
        lambda r: 2**r,
        "2^r = 1 + r h(r), |r| <= 1/2",
    ),
    (
        "kLog32",
        "float",
        7,
        ROOT_HALF - 1,
        ROOT_TWO - 1,
        lambda f: (log(1 + f) - f + f * f / 2) / f**3,
        ROOT_HALF - 1,
        ROOT_TWO - 1,
        lambda f, h: f - f * f / 2 + f**3 * h(f),
        lambda f: log(1 + f),
        "log(1 + f) = f - f^2 / 2 + f^3 h(f), 1 + f in [sqrt(1/2), sqrt(2)]",
    ),
    (
        "kTanh32",
        "float",
        4,
        0,
        mpf(25) / 64,
        lambda t: (tanh(sqrt(t)) / sqrt(t) - 1) / t,
        0,
        mpf(5) / 8,
        lambda x, h: x + x**3 * h(x * x),
        tanh,
        "tanh(x) = x + x^3 h(x^2), |x| <= 5/8",
    ),
    (
        "kLog1p32",
        "float",
        10,
        0,
        1,
        lambda t: log(1 + t) / t,
        mpf(10) ** -9,
        1,
        lambda e, h: e * h(e),
        lambda e: log(1 + e),
        "log(1 + e) = e h(e), e in [0, 1]",
    ),
    (
        "kSin32",
        "float",
        2,
        0,
        pi * pi / 16,
        lambda t: (sin(sqrt(t)) / sqrt(t) - 1) / t,
        0,
        pi / 4,
        lambda x, h: x + x**3 * h(x * x),
        sin,
        "sin(r) = r + r^3 h(r^2), |r| <= pi / 4",
    ),
    (
        "kCos32",
        "float",
        2,
        0,
        pi * pi / 16,
        lambda t: (cos(sqrt(t)) - 1 + t / 2) / t**2,
        0,
        pi / 4,
        lambda x, h: 1 - x * x / 2 + x**4 * h(x * x),
        cos,
        "cos(r) = 1 - r^2 / 2 + r^4 h(r^2), |r| <= pi / 4",
    ),
    (
        "kErf32",
        "float",
        7,
        0,
        1,
        lambda t: erf(sqrt(t)) / sqrt(t),
        0,
        1,
        lambda x, h: x * h(x * x),
        erf,
        "erf(x) = x h(x^2), |x| <= 1",
    ),
    (
        "kErfc32",
        "float",
        12,
        mpf(-3) / 2,
        mpf(3) / 2,
        lambda t: erfc(t + mpf(5) / 2) * exp((t + mpf(5) / 2) ** 2),
        1,
        4,
        lambda x, h: 1 - exp(-x * x) * h(x - mpf(5) / 2),
        erf,
        "erf(x) = 1 - exp(-x^2) h(x - 2.5), x in [1, 4]",
    ),
    (
        "kExp64",
        "double",
        6,
        -LN2 / 2,
        LN2 / 2,
        lambda r: (exp(r) - 1 - r) / r**2,
        -LN2 / 2,
        LN2 / 2,
        lambda r, h: r + r * r * h(r),
        expm1,
        "exp(r) - 1 = r + r^2 h(r), |r| <= log(2) / 2",
    ),
    (
        "kExpFull64",
        "double",
        9,
        -LN2 / 2,
        LN2 / 2,
        lambda r: (exp(r) - 1 - r) / r**2,
        -LN2 / 2,
        LN2 / 2,
        lambda r, h: 1 + r + r * r * h(r),
        exp,
        "exp(r) = 1 + r + r^2 h(r), |r| <= log(2) / 2",
    ),
    (
        "kLog64",
        "double",
        7,
        0,
        S,
        lambda t: (2 * atanh(sqrt(t)) / sqrt(t) - 2) / t,
        ROOT_HALF,
        ROOT_TWO,
        lambda m, h: 2 * ((m - 1) / (m + 1)) + ((m - 1) / (m + 1)) ** 3 * h(((m - 1) / (m + 1)) ** 2),
        log,
        "log(m) = 2 s + s^3 h(s^2), s = (m - 1) / (m + 1), m in [sqrt(1/2), sqrt(2)]",
    ),
    (
        "kAsin32",
        "float",
        4,
        0,
        mpf(1) / 4,
        lambda t: (asin(sqrt(t)) / sqrt(t) - 1) / t,
        0,
        0.5,
        lambda x, h: x + x**3 * h(x * x),
        asin,
        "asin(x) = x + x^3 h(x^2), |x| <= 1/2",
    ),
    (
        "kAsin64",
        "double",
        13,
        0,
        mpf(1) / 4,
        lambda t: (asin(sqrt(t)) / sqrt(t) - 1) / t,
        0,
        0.5,
        lambda x, h: x + x**3 * h(x * x),
        asin,
        "asin(x) = x + x^3 h(x^2), |x| <= 1/2",
    ),
    (
        "kAtan32",
        "float",
        4,
        0,
        TAN,
        lambda t: (atan(sqrt(t)) / sqrt(t) - 1) / t,
        0,
        ROOT_TWO - 1,
        lambda x, h: x + x**3 * h(x * x),
        atan,
        "atan(x) = x + x^3 h(x^2), |x| <= tan(pi / 8)",
    ),
    (
        "kAtan64",
        "double",
        12,
        0,
        TAN,
        lambda t: (atan(sqrt(t)) / sqrt(t) - 1) / t,
        0,
        ROOT_TWO - 1,
        lambda x, h: x + x**3 * h(x * x),
        atan,
        "atan(x) = x + x^3 h(x^2), |x| <= tan(pi / 8)",
    ),
    (
        "kCbrt32",
        "float",
        5,
        ROOT_HALF / 2,
        2 * ROOT_TWO,
        lambda t: t ** (mpf(1) / 3),
        ROOT_HALF / 2,
        2 * ROOT_TWO,
        lambda x, h: h(x),
        lambda x: x ** (mpf(1) / 3),
        "cbrt(x) = h(x), to begin Halley's method with, x in [sqrt(1/2) / 2, 2 sqrt(2)]",
    ),
    (
        "kCbrt64",
        "double",
        5,
        ROOT_HALF / 2,
        2 * ROOT_TWO,
        lambda t: t ** (mpf(1) / 3),
        ROOT_HALF / 2,
        2 * ROOT_TWO,
        lambda x, h: h(x),
        lambda x: x ** (mpf(1) / 3),
        "cbrt(x) = h(x), to begin Halley's method with, x in [sqrt(1/2) / 2, 2 sqrt(2)]",
    ),
    (
        "kErf64",
        "double",
        9,
        0,
        1,
        lambda t: erf(sqrt(t)) / sqrt(t),
        0,
        1,
        lambda x, h: x * h(x * x),
        erf,
        "erf(x) = x h(x^2), |x| <= 1",
    ),
    (
        "kErfc64",
        "double",
        11,
        mpf(-1) / 3,
        mpf(17) / 25,
        scaled_erfc,
        1,
        10.25,
        lambda x, h: exp(-x * x) * h((x - 2) / (x + 2)),
        erfc,
        "erfc(x) = exp(-x^2) h((x - 2) / (x + 2)), x in [1, 10.25]",
    ),
    (
        "kErfinvCentre64",
        "double",
        12,
        mpf(-25) / 8,
        mpf(25) / 8,
        lambda t: inverse_error_over_x(t + mpf(25) / 8),
        0.001,
        6.25,
        lambda w, h: h(w - mpf(25) / 8),
        inverse_error_over_x,
        "erfinv(x) = x h(w - 3.125), w = -log(1 - x^2) in [0, 6.25]",
    ),
    (
        "kErfinvTail64",
        "double",
        16,
        mpf(-17) / 8,
        mpf(17) / 8,
        lambda t: inverse_error_over_x((t + mpf(37) / 8) ** 2),
        2.5,
        6.75,
        lambda s, h: h(s - mpf(37) / 8),
        lambda s: inverse_error_over_x(s * s),
        "erfinv(x) = x h(s - 4.625), s = sqrt(-log(1 - x^2)) in [2.5, 6.75]",
    ),
    (
        "kNormalCentre32",
        "float",
        8,
        mpf(-5) / 2,
        mpf(5) / 2,
        lambda t: sqrt(mpf(2)) * inverse_error_over_x(t + mpf(5) / 2),
        0.001,
        5,
        lambda w, h: h(w - mpf(5) / 2),
        lambda w: sqrt(mpf(2)) * inverse_error_over_x(w),
        "sqrt(2) erfinv(x) = x h(w - 2.5), w = -log(1 - x^2) in [0, 5]",
    ),
    (
        "kNormalTail32",
        "float",
        8,
        mpf(-5) / 4,
        mpf(5) / 4,
        lambda t: sqrt(mpf(2)) * inverse_error_over_x((t + mpf(7) / 2) ** 2),
        2.236,
        4.75,
        lambda s, h: h(s - mpf(7) / 2),
        lambda s: sqrt(mpf(2)) * inverse_error_over_x(s * s),
        "sqrt(2) erfinv(x) = x h(s - 3.5), s = sqrt(-log(1 - x^2)) in [2.236, 4.75]",
    ),
]


def literal(value, kind):
    text = f"{float(value):.9g}" if kind == "float" else f"{float(value):.17g}"
    text += "" if any(c in text for c in ".e") else ".0"
    return text + ("f" if kind == "float" else "")


def main():
    print("// Coefficients, constant first, of the polynomials h in math_*.h. Printed by")
    print("// tools/fit_polynomials.py, which tells how they were fitted and what the errors mean.")
    print("#pragma once\n\n// clang-format off\nnamespace falconet::FALCONET_ISA {\n")
    for name, kind, degree, low, high, h, x_low, x_high, formula, f, words in ROWS:
        coefficients = fit(h, low, high, degree, kind)

        def approximation(x, formula=formula, coefficients=coefficients):
            return formula(x, lambda t: polyval(coefficients[::-1], t))

        error = worst(approximation, f, x_low, x_high)
        print(f"// {words}: {float(error):.1e}.")
        print(f"inline constexpr {kind} {name}[] = {{")
        line = "   "
        for c in coefficients:
            text = " " + literal(c, kind) + ","
            if len(line) + len(text) > 120:
                print(line)
                line = "   "
            line += text
        print(line + "\n};")
    print("\n}  // namespace falconet::FALCONET_ISA")


if __name__ == "__main__":
    main()
