"""Models: layers that can be compiled, trained, saved and summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import attach

if TYPE_CHECKING:
    from .cloning import clone_model as clone_model
    from .functional import Functional as Functional
    from .model import Model as Model, model_from_json as model_from_json
    from .sequential import Sequential as Sequential
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".cloning": "clone_model",
            ".functional": "Functional",
            ".model": "Model model_from_json",
            ".sequential": "Sequential",
        },
    )
    __all__ += ["load_model", "save_model"]


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
