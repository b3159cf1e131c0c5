"""A CUDA device for machines without one: tensors that are computed on the CPU and say that they are on cuda:0.

It is as strict as the real one: what mixes both devices raises, and so does a read by numpy. Where `waiting` is off,
whatever would wait for the device raises too.
"""

from threading import Thread

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

HERE, THERE = torch.device("cpu"), torch.device("cuda", 0)
WAITS = ("item", "tolist", "cpu", "nonzero", "unique", "__bool__", "__float__", "__int__", "__index__")
BETWEEN = ("copy_", "__set__", "_has_compatible_shallow_copy_type")  # what may be given tensors of both devices


class There(Tensor):
    """A tensor on the pretended device; what is computed of it is there too."""


class Generator(torch.Generator):
    """A CPU generator that says it is on the device it was made for."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.place = torch.device(device).type
        return made

    @property
    def device(self):
        return THERE if self.place == "cuda" else HERE


class Cuda(TorchFunctionMode):
    """While it is entered, in this thread, tensors can be brought to cuda:0."""

    def __init__(self):
        super().__init__()
        self.waiting, self.pinned = True, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), func.__name__
        with torch._C.DisableTorchFunctionSubclass():
            if name == "__get__" and func.__self__.__name__ in ("device", "is_cuda", "is_cpu"):
                return self._place(func, *args)
            tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            before = any(isinstance(tensor, There) for tensor in tensors)
            self._judge(func, args, tensors, kwargs.get("device"), kwargs.get("generator"))
            if name == "__deepcopy__" and before:
                return self._copied(*args)
            if name in ("to", "cpu", "cuda", "pin_memory"):
                return self._moved(name, *args, **kwargs)
            after = before if kwargs.get("device") is None else torch.device(kwargs["device"]).type == "cuda"
            if torch.device(kwargs.get("device") or HERE).type != "meta":
                kwargs.pop("device", None)
            return self._marked(func(*args, **kwargs), after)

    def _judge(self, func, args, tensors, device, generator):
        name, there = func.__name__, [isinstance(tensor, There) for tensor in tensors]
        indexed = name == "__getitem__" and isinstance(args[0], There)  # by an index that may be on the CPU
        large = any(tensor.dim() and not isinstance(tensor, There) and not tensor.is_meta for tensor in tensors)
        if any(there) and large and name not in BETWEEN and not indexed:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        if any(there) and name in ("numpy", "__array__"):
            raise TypeError("can't convert a cuda:0 tensor to numpy")
        place = torch.device(device).type if device is not None else "cuda" if any(there) else "cpu"
        if generator is not None and generator.device.type != place:
            raise RuntimeError(f"{name}: expected a {place!r} generator")
        masked = name == "__getitem__" and any(one.dtype == torch.bool for one in tensors[1:])
        back = name == "to" and any(torch.device(one).type == "cpu" for one in args[1:] if isinstance(one, str))
        if any(there) and not self.waiting and (name in WAITS or masked or back):
            raise RuntimeError(f"{name} waits for the device")

    def _place(self, func, tensor, *_):
        there = isinstance(tensor, There)
        real = func(tensor, *_)
        return {"device": THERE, "is_cuda": True, "is_cpu": False}[func.__self__.__name__] if there else real

    def _moved(self, name, tensor, *words, device=None, **options):
        place = {"cpu": "cpu", "cuda": "cuda"}.get(name, device)
        for word in words:
            if isinstance(word, str | torch.device):
                place = word
            if isinstance(word, Tensor):
                place, options["dtype"] = THERE if isinstance(word, There) else HERE, word.dtype
        dtypes = [word for word in words if isinstance(word, torch.dtype)]
        was = isinstance(tensor, There)
        now = was if place is None else torch.device(place).type == "cuda"
        if place is not None and torch.device(place).type == "meta":
            return tensor.to(place)
        found = tensor.to(*dtypes, **options) if name == "to" and (dtypes or options) else tensor
        if name == "pin_memory":
            self.pinned.append(tuple(tensor.shape))
        if now == was:
            return self._marked(found, now)
        return found.clone().as_subclass(There if now else Tensor)

    def _copied(self, tensor, memo):
        copy = tensor.detach().clone().as_subclass(There).requires_grad_(tensor.requires_grad)
        copy.__dict__.update(tensor.__dict__)
        memo[id(tensor)] = copy
        return copy

    def _marked(self, found, there):
        if not there:
            return found
        return tree_map_only(Tensor, _as_there, found)


def _as_there(tensor):
    if isinstance(tensor, There) or tensor.is_meta:
        return tensor
    if tensor.requires_grad and tensor.is_leaf:
        return tensor.detach().as_subclass(There).requires_grad_()
    return tensor.as_subclass(There)


class CudaThread(Thread):
    """A thread that knows the device too."""

    def run(self):
        with Cuda():
            super().run()
