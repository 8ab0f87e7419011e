"""How fast this machine runs Falconet, beside NumPy and whatever else is installed: `python -m falconet.bench`.

timing: contests, whose rounds are interleaved. networks: the networks that are trained and asked, in Falconet and by
hand in NumPy. peers: the same in PyTorch, JAX, scikit-learn and ONNX Runtime, each imported when it takes part.
"""
