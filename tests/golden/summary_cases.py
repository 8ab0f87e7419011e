"""Tables of models inside models, in every form that `summary` has: `k` is Keras or Falconet."""


def summaries(k):
    layers, texts = k.layers, []
    deeper = k.Sequential([layers.Input((3,)), layers.Dense(2, name="deep"), layers.Dropout(0.1, name="drop")],
                          name="deeper")  # fmt: skip
    inner = k.Sequential([layers.Input((5,)), layers.Dense(3, name="one"), deeper], name="inner")
    a, b = layers.Input((4,), name="a"), layers.Input((5,), name="b")
    outputs = inner(layers.Add(name="sum")([layers.Dense(5, name="wide")(a), b]))
    model = k.Model([a, b], [layers.Dense(2, name="last")(outputs), outputs], name="functional")
    model.get_layer("wide").trainable = False
    for arguments in ({}, {"expand_nested": True, "show_trainable": True},
                      {"layer_range": ["wide", "inner"], "line_length": 100}):  # fmt: skip
        model.summary(print_fn=texts.append, **arguments)
    stack = k.Sequential([
        layers.Input((4,)), layers.Dense(2, name="q"),
        k.Sequential([layers.Input((2,)), layers.Dense(3, name="z")], name="nested"),
        layers.BatchNormalization(name="a_name_that_is_longer_than_its_column"),
    ], name="stack")  # fmt: skip
    stack.compile("adam", "mse")
    stack.optimizer.build(stack.trainable_variables)
    stack.summary(print_fn=texts.append, expand_nested=True, show_trainable=True)
    stack.summary(print_fn=texts.append, positions=[0.3, 0.6, 1.0], line_length=70)
    k.Sequential([layers.Dense(3, name="unbuilt")], name="empty").summary(print_fn=texts.append)
    return "\n".join(texts)
