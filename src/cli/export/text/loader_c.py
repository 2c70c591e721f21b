"""Calls evenkeel_solve and evenkeel_shares of evenkeel.h on numpy arrays: `make` first, then

    solver = Evenkeel()
    quota, proof, left = solver.solve(layer, load)  # load [B, EXPERTS] int32
    log2phy_prob = solver.shares(layer, quota)      # [B, EXPERTS, COPIES] float32
"""

import ctypes
import os

import numpy as np

SIZES = {}


class Evenkeel:
    """The library, loaded. One object serves any number of threads; calls let go of Python's global lock."""

    def __init__(self, path=None):
        """path: the shared library; by default libevenkeel.so beside this file."""
        library = ctypes.CDLL(path or os.path.join(os.path.dirname(os.path.abspath(__file__)), "libevenkeel.so"))
        pointer = ctypes.c_void_p
        self._solve = library.evenkeel_solve
        self._solve.argtypes = [ctypes.c_int32, pointer, pointer, pointer, pointer, ctypes.c_int32]
        self._shares = library.evenkeel_shares
        self._shares.argtypes = [ctypes.c_int32, pointer, pointer, ctypes.c_int32]

    def solve(self, layer, load, base=None, quota=None, proof=None):
        """Solves the LPs of a layer.

        load   [B, EXPERTS] int32 tokens of each expert.
        base   [B, GPUS] int32 tokens that each GPU has besides, or None.
        quota, proof  written, if given: [B, SLOTS] int32, [B, PROOF] uint32.

        Returns quota, proof, and how many LPs are left with a gap. Raises TypeError or ValueError before anything is written.
        """
        batch = _rows("load", load, EXPERTS)
        _check("load", load, np.int32, (batch, EXPERTS))
        if base is not None:
            _check("base", base, np.int32, (batch, GPUS))
        quota = np.empty((batch, SLOTS), np.int32) if quota is None else quota
        proof = np.empty((batch, PROOF), np.uint32) if proof is None else proof
        _check("quota", quota, np.int32, (batch, SLOTS), written=True)
        _check("proof", proof, np.uint32, (batch, PROOF), written=True)
        left = self._solve(_number(layer), _at(load), _at(base), _at(quota), _at(proof), batch)
        return quota, proof, left

    def shares(self, layer, quota, out=None):
        """The quotas [B, SLOTS] of a solve as SGLang's log2phy_prob [B, EXPERTS, COPIES] float32, written into `out` if given."""
        batch = _rows("quota", quota, SLOTS)
        _check("quota", quota, np.int32, (batch, SLOTS))
        out = np.empty((batch, EXPERTS, COPIES), np.float32) if out is None else out
        _check("out", out, np.float32, (batch, EXPERTS, COPIES), written=True)
        self._shares(_number(layer), _at(quota), _at(out), batch)
        return out


def _number(layer):
    if layer not in PHYSICAL_TO_LOGICAL:
        raise ValueError(f"layer: expected one of {sorted(PHYSICAL_TO_LOGICAL)}, got {layer}.")
    return int(layer)


def _rows(name, array, columns):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a numpy array, got {type(array).__name__}.")
    if array.ndim != 2 or array.shape[0] >= 2**31:
        raise ValueError(f"{name}: expected a shape of (B, {columns}), got {array.shape}.")
    return array.shape[0]


def _check(name, array, dtype, shape, written=False):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a numpy array, got {type(array).__name__}.")
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected {np.dtype(dtype)}, got {array.dtype}.")
    if array.shape != shape:
        raise ValueError(f"{name}: expected a shape of {shape}, got {array.shape}.")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise ValueError(f"{name}: expected a contiguous, aligned array: np.ascontiguousarray({name}) makes one.")
    if written and not array.flags.writeable:
        raise ValueError(f"{name}: expected an array that may be written.")


def _at(array):
    return None if array is None else array.ctypes.data
