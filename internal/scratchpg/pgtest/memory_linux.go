package pgtest

import "syscall"

// inMemory is a directory in memory with two gigabytes left; "": there is none.
func inMemory() string {
	const dir, least = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < least {
		return ""
	}
	return dir
}
