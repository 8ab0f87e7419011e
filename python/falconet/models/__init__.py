"""Models: layers that can be compiled, trained, saved and summed up."""

from __future__ import annotations

from typing import Any

from falconet.models.cloning import clone_model
from falconet.models.functional import Functional
from falconet.models.model import Model, model_from_json
from falconet.models.sequential import Sequential


def save_model(model: Model, filepath: Any, overwrite: bool = True, zipped: bool | None = None) -> None:
    """Writes a model to one file; see `falconet.saving.save_model`."""
    from falconet.saving import save_model

    save_model(model, filepath, overwrite=overwrite, zipped=zipped)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Reads a model from a file; see `falconet.saving.load_model`."""
    from falconet.saving import load_model

    return load_model(filepath, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode)


__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
