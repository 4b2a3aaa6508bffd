"""The messages of TensorFlow Serving that a warm-up record is made of.

The package tensorflow-serving-api has them too. Here are the fields that are
written, under their true names and numbers, so that an export does not need
it.
"""

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2

_FILE = """
name: "keras_vae/prediction_log.proto"
package: "tensorflow.serving"
syntax: "proto3"
dependency: "tensorflow/core/framework/tensor.proto"
message_type {
  name: "ModelSpec"
  field {
    name: "signature_name" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL
  }
}
message_type {
  name: "PredictRequest"
  field {
    name: "model_spec" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
    type_name: ".tensorflow.serving.ModelSpec"
  }
  field {
    name: "inputs" number: 2 type: TYPE_MESSAGE label: LABEL_REPEATED
    type_name: ".tensorflow.serving.PredictRequest.InputsEntry"
  }
  nested_type {
    name: "InputsEntry"
    options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field {
      name: "value" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL
      type_name: ".tensorflow.TensorProto"
    }
  }
}
message_type {
  name: "PredictLog"
  field {
    name: "request" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
    type_name: ".tensorflow.serving.PredictRequest"
  }
}
message_type {
  name: "PredictionLog"
  field {
    name: "predict_log" number: 6 type: TYPE_MESSAGE label: LABEL_OPTIONAL
    type_name: ".tensorflow.serving.PredictLog"
  }
}
"""


def _message_class():
    # A pool of its own: in the default one the names are taken as soon as
    # somebody imports tensorflow_serving.
    pool = descriptor_pool.DescriptorPool()

    def add(file):
        for dependency in file.dependencies:
            add(dependency)
        pool.AddSerializedFile(file.serialized_pb)

    add(tensor_pb2.DESCRIPTOR)
    pool.Add(text_format.Parse(_FILE, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("tensorflow.serving.PredictionLog")
    )


PredictionLog = _message_class()
