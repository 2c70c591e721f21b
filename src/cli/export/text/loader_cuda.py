"""Calls evenkeel_launch and evenkeel_launch_shares of evenkeel.h on torch's CUDA tensors: `make` first, then

    solver = Evenkeel()
    solver.solve(layer, load, quota, proof)  # load [B, EXPERTS] int32; quota [B, SLOTS] int32, proof [B, PROOF] int32: written
    solver.shares(layer, quota, log2phy_prob)  # [B, EXPERTS, COPIES] float32: written

on torch's current stream. Nothing is allocated and nothing waits, so that a CUDA graph may capture it.
"""

import ctypes
import os

SIZES = {}


class Evenkeel:
    """The library, loaded. One object serves any number of threads."""

    def __init__(self, path=None):
        """path: the shared library; by default libevenkeel.so beside this file."""
        library = ctypes.CDLL(path or os.path.join(os.path.dirname(os.path.abspath(__file__)), "libevenkeel.so"))
        pointer = ctypes.c_void_p
        self._solve = library.evenkeel_launch
        self._solve.argtypes = [ctypes.c_int32, pointer, pointer, pointer, pointer, ctypes.c_int32, pointer]
        self._shares = library.evenkeel_launch_shares
        self._shares.argtypes = [ctypes.c_int32, pointer, pointer, ctypes.c_int32, pointer]

    def solve(self, layer, load, quota, proof, base=None, stream=None):
        """Launches the solve of a layer's LPs.

        load   [B, EXPERTS] int32 tokens of each expert.
        quota, proof  [B, SLOTS] int32, [B, PROOF] int32: written; proof[:, 0] is 0 where an LP is solved, 1 where a gap is left.
        base   [B, GPUS] int32 tokens that each GPU has besides, or None.
        stream  a torch.cuda.Stream, or None: the current one of the tensors' device.

        Raises TypeError or ValueError before anything is launched, RuntimeError if CUDA refuses the launch.
        """
        batch = _rows("load", load, EXPERTS)
        _check("load", load, "int32", (batch, EXPERTS), load.device)
        _check("quota", quota, "int32", (batch, SLOTS), load.device)
        _check("proof", proof, "int32", (batch, PROOF), load.device)
        if base is not None:
            _check("base", base, "int32", (batch, GPUS), load.device)
        at = None if base is None else base.data_ptr()
        pointers = (load.data_ptr(), at, quota.data_ptr(), proof.data_ptr())
        _launch(load.device, stream, lambda on: self._solve(_number(layer), *pointers, batch, on))

    def shares(self, layer, quota, log2phy_prob, stream=None):
        """Launches the writing of log2phy_prob [B, EXPERTS, COPIES] float32 from quotas [B, SLOTS] int32. Raises as `solve` does."""
        batch = _rows("quota", quota, SLOTS)
        _check("quota", quota, "int32", (batch, SLOTS), quota.device)
        _check("log2phy_prob", log2phy_prob, "float32", (batch, EXPERTS, COPIES), quota.device)
        pointers = (quota.data_ptr(), log2phy_prob.data_ptr())
        _launch(quota.device, stream, lambda on: self._shares(_number(layer), *pointers, batch, on))


def _launch(device, stream, call):
    import torch

    with torch.cuda.device(device):
        status = call((stream or torch.cuda.current_stream()).cuda_stream)
    if status != 0:
        raise RuntimeError(f"The launch failed with cudaError {status}.")


def _number(layer):
    if layer not in PHYSICAL_TO_LOGICAL:
        raise ValueError(f"layer: expected one of {sorted(PHYSICAL_TO_LOGICAL)}, got {layer}.")
    return int(layer)


def _rows(name, tensor, columns):
    if len(tensor.shape) != 2 or tensor.shape[0] >= 2**31:
        raise ValueError(f"{name}: expected a shape of (B, {columns}), got {tuple(tensor.shape)}.")
    return tensor.shape[0]


def _check(name, tensor, dtype, shape, device):
    if not tensor.is_cuda or tensor.device != device:
        raise ValueError(f"{name}: expected a tensor on one CUDA device with the others, got {tensor.device}.")
    if str(tensor.dtype) != f"torch.{dtype}":
        raise TypeError(f"{name}: expected torch.{dtype}, got {tensor.dtype}.")
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name}: expected a shape of {shape}, got {tuple(tensor.shape)}.")
    if not tensor.is_contiguous():
        raise ValueError(f"{name}: expected a contiguous tensor.")
