"""Quantises a GGUF file with llama.cpp: quantize_gguf.py FROM.gguf TO.gguf TYPE."""

import ctypes
import sys

import llama_cpp

types = {"q8_0": 7, "q4_0": 2, "q4_k_m": 15, "q5_k_m": 17, "q6_k": 18}
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype = types[sys.argv[3]]
parameters.nthread = 2
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(parameters)))
