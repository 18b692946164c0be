// Package deploy has what Gatehouse is installed with: units of systemd, packages, an image. Its
// tests build them, unpack them where nothing else is, and sign an administrator in.
//
// It imports nothing of ours.
package deploy
