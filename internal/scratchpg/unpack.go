package scratchpg

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"strings"
)

// unpack takes the one .txz out of a jar and puts it into the cache, whole or not at all.
func unpack(jar *os.File, size int64, to string) error {
	z, err := zip.NewReader(jar, size)
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".txz") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.CreateTemp(dirOf(to), "unpack-*.txz")
		if err != nil {
			return err
		}
		defer os.Remove(out.Name())
		_, err = io.Copy(out, io.LimitReader(in, 256<<20))
		if err = errors.Join(err, out.Close()); err != nil {
			return err
		}
		return os.Rename(out.Name(), to)
	}
	return errors.New("the download holds no archive of programs")
}

func dirOf(path string) string { return path[:strings.LastIndexByte(path, os.PathSeparator)] }
