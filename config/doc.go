// Package config turns a directory of *.anthill.hcl files into a Config: load, evaluate, validate.
package config
