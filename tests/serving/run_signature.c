/* Loads a SavedModel in TensorFlow's C runtime and runs its signatures.
 *
 *   run_signature MODEL JOBS
 *
 * Each line of the text file JOBS is one of
 *
 *   in OPERATION INDEX float|int32 FILE RANK [SIZE ...]
 *   out OPERATION INDEX FILE
 *   run
 *
 * FILE holds raw values, in C order. `run` feeds and fetches the tensors
 * named since the last one. For every output its file is written and
 * "FILE float|int32|other RANK [SIZE ...]" is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MAX_TENSORS 16
#define MAX_RANK 8
#define MAX_NAME 1024

static void fail(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void check(TF_Status* status, const char* what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static TF_Output find(TF_Graph* graph, const char* name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (output.oper == NULL) fail(name, "no such operation");
  return output;
}

static TF_Tensor* read_tensor(const char* file, TF_DataType type,
                              const int64_t* shape, int rank) {
  size_t size = TF_DataTypeSize(type);
  for (int i = 0; i < rank; ++i) size *= (size_t)shape[i];
  TF_Tensor* tensor = TF_AllocateTensor(type, shape, rank, size);
  FILE* stream = fopen(file, "rb");
  if (stream == NULL) fail(file, "cannot be read");
  if (fread(TF_TensorData(tensor), 1, size, stream) != size ||
      fgetc(stream) != EOF)
    fail(file, "does not have the size of its shape");
  fclose(stream);
  return tensor;
}

static void write_tensor(const char* file, const TF_Tensor* tensor) {
  FILE* stream = fopen(file, "wb");
  if (stream == NULL) fail(file, "cannot be written");
  size_t size = TF_TensorByteSize(tensor);
  if (fwrite(TF_TensorData(tensor), 1, size, stream) != size ||
      fclose(stream) != 0)
    fail(file, "cannot be written");
  TF_DataType type = TF_TensorType(tensor);
  printf("%s %s %d", file,
         type == TF_FLOAT   ? "float"
         : type == TF_INT32 ? "int32"
                            : "other",
         TF_NumDims(tensor));
  for (int i = 0; i < TF_NumDims(tensor); ++i)
    printf(" %lld", (long long)TF_Dim(tensor, i));
  printf("\n");
}

int main(int argc, char** argv) {
  if (argc != 3) fail("usage", "run_signature MODEL JOBS");

  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, argv[1]);

  FILE* jobs = fopen(argv[2], "r");
  if (jobs == NULL) fail(argv[2], "cannot be read");

  TF_Output inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  TF_Tensor *fed[MAX_TENSORS], *fetched[MAX_TENSORS];
  char files[MAX_TENSORS][MAX_NAME];
  int num_inputs = 0, num_outputs = 0;

  char word[8], name[MAX_NAME], type[8], file[MAX_NAME];
  int index, rank;
  while (fscanf(jobs, "%7s", word) == 1) {
    if (strcmp(word, "in") == 0 && num_inputs < MAX_TENSORS) {
      int64_t shape[MAX_RANK];
      if (fscanf(jobs, "%1023s %d %7s %1023s %d", name, &index, type, file,
                 &rank) != 5 || rank > MAX_RANK)
        fail(argv[2], "wrong line `in`");
      for (int i = 0; i < rank; ++i) {
        long long size;
        if (fscanf(jobs, "%lld", &size) != 1) fail(argv[2], "wrong shape");
        shape[i] = size;
      }
      inputs[num_inputs] = find(graph, name, index);
      fed[num_inputs++] = read_tensor(
          file, strcmp(type, "float") == 0 ? TF_FLOAT : TF_INT32, shape, rank);
    } else if (strcmp(word, "out") == 0 && num_outputs < MAX_TENSORS) {
      if (fscanf(jobs, "%1023s %d %1023s", name, &index,
                 files[num_outputs]) != 3)
        fail(argv[2], "wrong line `out`");
      outputs[num_outputs++] = find(graph, name, index);
    } else if (strcmp(word, "run") == 0) {
      TF_SessionRun(session, NULL, inputs, fed, num_inputs, outputs, fetched,
                    num_outputs, NULL, 0, NULL, status);
      check(status, "run");
      for (int i = 0; i < num_inputs; ++i) TF_DeleteTensor(fed[i]);
      for (int i = 0; i < num_outputs; ++i) {
        write_tensor(files[i], fetched[i]);
        TF_DeleteTensor(fetched[i]);
      }
      num_inputs = num_outputs = 0;
    } else {
      fail(argv[2], word);
    }
  }

  fclose(jobs);
  TF_CloseSession(session, status);
  check(status, "close");
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
