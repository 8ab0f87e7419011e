"""The optimizers of the golden files: `optimizers.json` (variables of every rank) and `optimizer_options.json`.

The first holds each rule, with slots' names and each step's values. The second holds every option of every optimizer,
its own and those common to all, on three small variables.
"""

OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Adam", {"clipnorm": 0.5}),
    ("Adam", {"clipvalue": 0.3}),
    ("Adam", {"global_clipnorm": 0.7}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"weight_decay": 0.1, "exclude": ["bias"]}),
    ("Adam", {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2}),
    ("Adam", {"use_ema": True, "ema_momentum": 0.8}),
    ("Adam", {"gradient_accumulation_steps": 2}),
    ("SGD", {"gradient_accumulation_steps": 2, "clipnorm": 0.5, "momentum": 0.5}),
    ("SGD", {"gradient_accumulation_steps": 3, "global_clipnorm": 0.5}),
    ("Adam", {"loss_scale_factor": 4.0}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.2, "exclude": ["bias", "gamma"]}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.9}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Nadam", {"gradient_accumulation_steps": 2}),
    ("Ftrl", {}),
    (
        "Ftrl",
        {
            "l1_regularization_strength": 0.1,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.3,
            "beta": 0.1,
        },
    ),
    ("Lion", {}),
    ("Lamb", {}),
    ("Adafactor", {}),
    ("Adafactor", {"relative_step": False, "clip_threshold": 0.5, "learning_rate": 0.5}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "rms_rate": None, "exclude_layers": ["kernel"], "adam_lr_ratio": 0.5}),
    ("ScheduleFreeAdamW", {"warmup_steps": 3}),
]
SHAPES = {"kernel": (3, 4), "bias": (4,), "window": (2, 3, 2), "gamma": (), "other": (4, 3)}
STEPS = 5

# For the options: every kind of shape that a rule tells apart (Adafactor and Muon treat matrices otherwise).
SMALL = {"kernel": (2, 3), "bias": (2,)}
DECAY = {"initial_learning_rate": 0.05, "decay_steps": 2, "decay_rate": 0.5}  # an ExponentialDecay

COMMON = [
    {},
    {"clipnorm": 0.5},
    {"global_clipnorm": 0.7},
    {"clipvalue": 0.3},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "exclude": ["bias"]},
    {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 2, "weight_decay": 0.1, "clipnorm": 0.5},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
    {"loss_scale_factor": 4.0, "global_clipnorm": 0.5},
    {"schedule": DECAY},
    {"schedule": DECAY, "gradient_accumulation_steps": 2},
]
_MOMENTS = [{"beta_1": 0.7}, {"beta_2": 0.8}, {"epsilon": 0.1}]
OWN = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [*_MOMENTS, {"amsgrad": True}],
    "AdamW": [*_MOMENTS, {"amsgrad": True}],
    "Adamax": _MOMENTS,
    "Adadelta": [{"rho": 0.5}, {"epsilon": 0.1}],
    "Adagrad": [{"initial_accumulator_value": 0.5}, {"epsilon": 0.1}],
    "Nadam": _MOMENTS,
    "RMSprop": [{"rho": 0.5}, {"momentum": 0.5}, {"centered": True}, {"epsilon": 0.1}],
    "Ftrl": [
        {"learning_rate_power": -0.4},
        {"initial_accumulator_value": 0.5},
        {"l1_regularization_strength": 0.1},
        {"l2_regularization_strength": 0.1},
        {"l2_shrinkage_regularization_strength": 0.1},
        {"beta": 0.3},
    ],
    "Adafactor": [
        {"beta_2_decay": -0.5},
        {"epsilon_1": 0.01},
        {"epsilon_2": 0.5},
        {"clip_threshold": 0.3},
        {"relative_step": False},
    ],
    "Lion": [{"beta_1": 0.7}, {"beta_2": 0.8}],
    "Lamb": _MOMENTS,
    "Muon": [
        {"adam_beta_1": 0.7},
        {"adam_beta_2": 0.8},
        {"epsilon": 0.1},
        {"adam_weight_decay": 0.1},
        {"adam_lr_ratio": 0.5},
        {"momentum": 0.5},
        {"ns_steps": 3},
        {"nesterov": False},
        {"exclude_embeddings": False},
        {"exclude_layers": ["kernel"]},
        {"muon_a": 3.0},
        {"muon_b": -4.0},
        {"muon_c": 1.5},
        {"rms_rate": None},
        {"rms_rate": 0.5},
    ],
    "ScheduleFreeAdamW": [*_MOMENTS, {"warmup_steps": 2}],
}
# Each with SGD inside; the gradients of the fourth step are infinite.
LOSS_SCALE = [
    {},
    {"initial_scale": 64.0},
    {"initial_scale": 8.0, "dynamic_growth_steps": 1},
    {"initial_scale": 8.0, "dynamic_growth_steps": 2},
]
