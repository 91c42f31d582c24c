package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// newCertificate makes a self-signed certificate for this machine, and writes it to a file for its
// clients.
func newCertificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "fakekinesis"}, // keytool requires a name
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return certificate, os.WriteFile(file, text, 0o600)
}

// plainListener hides from http.Server that a connection is encrypted, so that it recognises HTTP/2
// by its first bytes. Java's client does not negotiate HTTP/2.
type plainListener struct{ net.Listener }

func (l plainListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	return struct{ net.Conn }{connection}, err
}
