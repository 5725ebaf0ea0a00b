"""The extras of the installation: which of them brings a module that a command does not find."""

DISTRIBUTION = "retrace-unlearning"
# The modules that each extra of pyproject.toml brings (tests/test_packaging.py compares them).
EXTRAS = {
    "theory": ("flax", "jax", "jaxlib", "optax", "threadpoolctl"),
    "llm": (
        "accelerate",
        "bitsandbytes",
        "filelock",
        "huggingface_hub",
        "openai",
        "peft",
        "safetensors",
        "tokenizers",
        "torch",
        "transformers",
    ),
}


def needed(command: str, error: ModuleNotFoundError) -> str:
    """One line: which module the command needs, and the pip command that installs its extra.

    Raises the error itself if no extra brings the module: then something else is wrong.
    """
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return f"{command} needs {module}: pip install '{DISTRIBUTION}[{extra}]'"
    raise error
