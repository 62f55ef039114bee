"""A FreeBSD host in a directory, for machines that are not one."""
