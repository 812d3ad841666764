"""Making tensors of what a checkpoint's pickle says of them."""

import torch

from ocrdeploy.checkpoints.pickle_machine import Call, Name, PersistentId, RefusedPickleError
from ocrdeploy.checkpoints.torch_files import CheckpointFile, StorageKey, storage_key

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
"""Types of numbers by the name of their storage."""

ITEM_BYTES = {kind: dtype.itemsize for kind, dtype in DTYPES.items()}


class TensorBuilder:
    """Makes tensors of what a pickle says of them; tensors that share numbers in the file share them here."""

    def __init__(self, file: CheckpointFile) -> None:
        self._file = file
        self._numbers: dict[StorageKey, torch.Tensor] = {}

    def build(self, record: object) -> torch.Tensor | None:
        """Return the tensor, or None if the record is of something else.

        Raises:
            RefusedPickleError: It is of a kind that is not known.
            ValueError: It reaches beyond its numbers.
        """
        match record:
            case Call(Name("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"), (inner, *_)):
                return self.build(inner)
            case Call(Name("torch._tensor", "_rebuild_from_type_v2"), (function, _, tuple(arguments), *_)):
                return self.build(Call(function, arguments))
            case Call(
                Name("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"),
                (PersistentId() as storage, int(offset), size, stride, *_),
            ):
                return self._view(storage_key(storage), offset, _lengths(size), _lengths(stride))
            case Call(Name(module, name)) if module.startswith("torch") and name.startswith("_rebuild"):
                raise RefusedPickleError(f"tensors made by {module}.{name} are not known")
        return None

    def _view(
        self, storage: StorageKey | None, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> torch.Tensor:
        """Return a tensor that lies within a storage."""
        if storage is None or storage.kind not in DTYPES:
            raise RefusedPickleError(f"numbers of type {storage.kind if storage else 'unknown'} are not known")
        if len(size) != len(stride) or offset < 0:
            raise ValueError("its size, stride and offset do not belong together")
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if 0 in size:
            return torch.empty(size, dtype=DTYPES[storage.kind])
        if last >= storage.length:
            raise ValueError(f"it needs {last + 1} numbers, its storage has {storage.length}")
        if storage not in self._numbers:
            data = self._file.read_storage(storage, ITEM_BYTES[storage.kind])
            self._numbers[storage] = torch.frombuffer(data, dtype=DTYPES[storage.kind])
        return self._numbers[storage].as_strided(size, stride, offset)


def _lengths(value: object) -> tuple[int, ...]:
    """Return the size or stride of a tensor, which is a tuple or a torch.Size."""
    match value:
        case Call(Name("torch", "Size"), (tuple(inner),)):
            return _lengths(inner)
        case tuple() if all(isinstance(item, int) and item >= 0 for item in value):
            return value
    raise ValueError("its size or stride is no tuple of lengths")
