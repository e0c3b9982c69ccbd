package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func replyLine(r Reply) string {
	status := ""
	if r.Status != [3]int{} {
		status = fmt.Sprintf("%d.%d.%d ", r.Status[0], r.Status[1], r.Status[2])
	}
	return fmt.Sprintf("%d %s%s\r\n", r.Code, status, r.Text)
}

// messageID is that of a mail, without brackets; "": it has none.
func messageID(raw []byte) string {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return ""
	}
	return strings.Trim(strings.TrimSpace(m.Header.Get("Message-ID")), "<>")
}

// CAFile is a file of an authority that has signed no server's certificate.
func CAFile(t testing.TB) string {
	t.Helper()
	_, file := certificate(t, "")
	return file
}

// certificate makes an authority that nobody trusts yet, and with it one certificate, for a name or for this machine.
func certificate(t testing.TB, name string) (config *tls.Config, caFile string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mailtest"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if name != "" {
		leaf.DNSNames, leaf.IPAddresses = []string{name}, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	must(err)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	must(os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, caFile
}

// Text is the plain part of a mail as people read it, lines ended by \n; "": it has none.
func (m Mail) Text() string { return m.part("text/plain") }

// HTML is its other part.
func (m Mail) HTML() string { return m.part("text/html") }

func (m Mail) part(kind string) string {
	whole, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return ""
	}
	read := func(header string, body io.Reader) string {
		if is, _, _ := mime.ParseMediaType(header); is != kind {
			return ""
		}
		text, _ := io.ReadAll(body)
		return strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	is, parameters, _ := mime.ParseMediaType(whole.Header.Get("Content-Type"))
	if !strings.HasPrefix(is, "multipart/") {
		return read(whole.Header.Get("Content-Type"), quotedprintable.NewReader(whole.Body))
	}
	parts := multipart.NewReader(whole.Body, parameters["boundary"])
	for {
		part, err := parts.NextPart() // undoes quoted-printable
		if err != nil {
			return ""
		}
		if text := read(part.Header.Get("Content-Type"), part); text != "" {
			return text
		}
	}
}
