# SPDX-License-Identifier: GPL-2.0-or-later
# Services people copy from.  They include <hotspare/hs.h> as users do, and
# are installed where a cluster can start them.
examplesdir = $(libexecdir)/hotspare/examples
examples_PROGRAMS =
#examples_PROGRAMS += examples/tetris
#examples_tetris_SOURCES = examples/tetris.c
#examples_tetris_LDADD = libhotspare.la
