"""Runs SavedModels in TensorFlow's C runtime, through its shared library.

    python -I -S c_runtime_worker.py LIBRARY

It needs Python's own library only. Each line on standard input is a job in
JSON, and each gets a line of JSON on standard output:

    {"version": FOLDER, "runs": [{"inputs": [TENSOR], "outputs": [NAME]}]}
    {"error": TEXT} or {"runs": [{"error": TEXT} or {"outputs": [TENSOR]}]}

NAME is that of a tensor in the graph, "serving_default_x:0" say; TENSOR is
{"name": NAME, "dtype": TF_DataType, "shape": [SIZE], "data": base64}.
"""

import base64
import ctypes
import json
import os
import sys
from ctypes import POINTER
from ctypes import c_char_p
from ctypes import c_int
from ctypes import c_int64
from ctypes import c_size_t
from ctypes import c_void_p


class Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


class Failure(Exception):
    pass


FUNCTIONS = {
    "TF_NewStatus": (c_void_p,),
    "TF_GetCode": (c_int, c_void_p),
    "TF_Message": (c_char_p, c_void_p),
    "TF_NewGraph": (c_void_p,),
    "TF_DeleteGraph": (None, c_void_p),
    "TF_GraphOperationByName": (c_void_p, c_void_p, c_char_p),
    "TF_NewSessionOptions": (c_void_p,),
    "TF_LoadSessionFromSavedModel": (
        *(c_void_p, c_void_p, c_void_p, c_char_p),
        *(POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p),
    ),
    "TF_CloseSession": (None, c_void_p, c_void_p),
    "TF_DeleteSession": (None, c_void_p, c_void_p),
    "TF_SessionRun": (
        *(None, c_void_p, c_void_p),
        *(POINTER(Output), POINTER(c_void_p), c_int),
        *(POINTER(Output), POINTER(c_void_p), c_int),
        *(c_void_p, c_int, c_void_p, c_void_p),
    ),
    "TF_AllocateTensor": (c_void_p, c_int, POINTER(c_int64), c_int, c_size_t),
    "TF_DeleteTensor": (None, c_void_p),
    "TF_TensorData": (c_void_p, c_void_p),
    "TF_TensorByteSize": (c_size_t, c_void_p),
    "TF_TensorType": (c_int, c_void_p),
    "TF_NumDims": (c_int, c_void_p),
    "TF_Dim": (c_int64, c_void_p, c_int),
}


class Runtime:
    """The functions of the C interface that are needed."""

    def __init__(self, library):
        self.library = ctypes.CDLL(library)
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments
        self.status = self.library.TF_NewStatus()
        self.options = self.library.TF_NewSessionOptions()

    def check(self):
        if self.library.TF_GetCode(self.status):
            message = self.library.TF_Message(self.status)
            raise Failure(message.decode(errors="replace"))

    def job(self, version, runs):
        lib, graph = self.library, self.library.TF_NewGraph()
        session = None
        try:
            tags = (c_char_p * 1)(b"serve")
            session = lib.TF_LoadSessionFromSavedModel(
                self.options,
                None,
                os.fsencode(version),
                tags,
                len(tags),
                graph,
                None,
                self.status,
            )
            self.check()
            return [self.attempt(session, graph, **run) for run in runs]
        finally:
            if session is not None:
                lib.TF_CloseSession(session, self.status)
                lib.TF_DeleteSession(session, self.status)
            lib.TF_DeleteGraph(graph)

    def attempt(self, session, graph, inputs, outputs):
        fed = [self.tensor(**value) for value in inputs]
        fetched = (c_void_p * len(outputs))()
        try:
            self.library.TF_SessionRun(
                session,
                None,
                self.ends(graph, [value["name"] for value in inputs]),
                (c_void_p * len(fed))(*fed),
                len(fed),
                self.ends(graph, outputs),
                fetched,
                len(fetched),
                None,
                0,
                None,
                self.status,
            )
            self.check()
            described = map(self.described, outputs, fetched)
            return {"outputs": list(described)}
        except Failure as failure:
            return {"error": str(failure)}
        finally:
            for tensor in [*fed, *filter(None, fetched)]:
                self.library.TF_DeleteTensor(tensor)

    def ends(self, graph, names):
        """The ends of the graph with these names, as an array."""
        ends = (Output * len(names))()
        for end, name in zip(ends, names, strict=True):
            operation, _, index = name.partition(":")
            end.index = int(index or 0)
            end.operation = self.library.TF_GraphOperationByName(
                graph, operation.encode()
            )
            if end.operation is None:
                raise Failure(f"there is no operation {operation!r}")
        return ends

    def tensor(self, name, dtype, shape, data):
        data = base64.b64decode(data)
        tensor = self.library.TF_AllocateTensor(
            dtype, (c_int64 * len(shape))(*shape), len(shape), len(data)
        )
        ctypes.memmove(self.library.TF_TensorData(tensor), data, len(data))
        return tensor

    def described(self, name, tensor):
        lib = self.library
        data = ctypes.string_at(
            lib.TF_TensorData(tensor), lib.TF_TensorByteSize(tensor)
        )
        rank = lib.TF_NumDims(tensor)
        return {
            "name": name,
            "dtype": lib.TF_TensorType(tensor),
            "shape": [lib.TF_Dim(tensor, axis) for axis in range(rank)],
            "data": base64.b64encode(data).decode(),
        }


def main(library):
    # Whatever TensorFlow prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    runtime = Runtime(library)
    for line in sys.stdin:
        try:
            answer = {"runs": runtime.job(**json.loads(line))}
        except Failure as failure:
            answer = {"error": str(failure)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
