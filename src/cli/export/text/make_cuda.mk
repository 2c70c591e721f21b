NVCC ?= nvcc
# Of the GPU that it will run on: sm_80 is an A100, sm_90 an H100 or H200, sm_100 a B200.
ARCH ?= sm_90

libevenkeel.so: evenkeel.cu evenkeel.h
	$(NVCC) -O3 -arch=$(ARCH) -Xcompiler -fPIC -shared -o $@ evenkeel.cu
