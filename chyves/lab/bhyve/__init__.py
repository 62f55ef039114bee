"""bhyve(8) over QEMU: its command line, its configuration tree, its devices and the way a guest ends."""
