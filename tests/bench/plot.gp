# SPDX-License-Identifier: GPL-2.0-or-later
# gnuplot -e "dir='DIR'" plot.gp: DIR/*.dat, made by report, as DIR/*.svg.
set terminal svg size 760,480 dynamic background rgb 'white' font 'sans,13'
set grid
set key outside below horizontal
has(name) = int(system('test -s '.dir.'/'.name.'.dat && echo 1 || echo 0'))
column_of(name, size) = '< grep "^'.size.' " '.dir.'/'.name.'.dat'
sizes(name) = system('cut -d " " -f 1 '.dir.'/'.name.'.dat | uniq')

if (has('pause')) {
	set output dir.'/pause.svg'
	set title 'Pause of a checkpoint, and the floor of this machine'
	set xlabel 'dirty pages of 4 KiB'
	set ylabel 'us (median)'
	set logscale xy
	plot for [s in sizes('pause')] column_of('pause', s) using 2:3 \
	    with linespoints title s, \
	    for [s in sizes('pause')] column_of('pause', s) using 2:4 \
	    with lines dashtype 2 title s.', floor'
	unset logscale
}
if (has('bytes')) {
	set output dir.'/bytes.svg'
	set title 'Bytes sent for an epoch'
	set xlabel 'changed pages'
	set ylabel 'bytes'
	set logscale xy
	plot for [s in sizes('bytes')] column_of('bytes', s) using 2:3 \
	    with linespoints title s.' changed in each', \
	    column_of('bytes', 'page') using 2:4 with lines dashtype 2 \
	    title 'full pages'
	unset logscale
}
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.7
if (has('held') && has('bare3')) {
	set output dir.'/held.svg'
	set title 'A change is held, beside a bare request and its ack (p50)'
	set xlabel 'bytes changed'
	set ylabel 'us'
	set yrange [0:*]
	plot '< grep " p50 " '.dir.'/held.dat' using 4:xtic(1) \
	    title 'bare, two members', \
	    '< grep " p50 " '.dir.'/bare3.dat' using 3 \
	    title 'bare, an idle third', \
	    '< grep " p50 " '.dir.'/held.dat' using 3 title 'held'
}
if (has('restore')) {
	set output dir.'/restore.svg'
	set title 'Promotion to the return of hsinit()'
	set xlabel 'state'
	set ylabel 'ms (median)'
	set logscale y
	set yrange [1:*]
	plot '< grep " - " '.dir.'/restore.dat' using 3:xtic(1) \
	    title 'mapped', '' using 4 title 'a copy would take'
	unset logscale
	set yrange [0:*]
}
if (has('takeover')) {
	set output dir.'/takeover.svg'
	set title 'Death to the first answer through the address (p50)'
	set xlabel ''
	set ylabel 'ms'
	plot '< grep " p50 " '.dir.'/takeover.dat' using 3:xtic(1) notitle
}
