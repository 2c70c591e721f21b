CFLAGS ?= -O2

libevenkeel.so: evenkeel.c evenkeel.h
	$(CC) $(CFLAGS) -std=c11 -Wall -Wextra -fPIC -shared -o $@ evenkeel.c
