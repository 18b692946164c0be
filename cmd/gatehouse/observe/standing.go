package observe

import (
	"crypto/x509"
	"encoding/pem"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/sqldb"
)

// told is a collector that is a function.
type told struct {
	all     []*prometheus.Desc
	collect func(tell func(i int, kind prometheus.ValueType, v float64))
}

// Describe implements prometheus.Collector.
func (t told) Describe(out chan<- *prometheus.Desc) {
	for _, d := range t.all {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (t told) Collect(out chan<- prometheus.Metric) {
	t.collect(func(i int, kind prometheus.ValueType, v float64) {
		out <- prometheus.MustNewConstMetric(t.all[i], kind, v)
	})
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("gatehouse_"+name, help, nil, nil)
}

// Certificate tells when the TLS certificate in a file expires. Without one it tells nothing.
func Certificate(file string) prometheus.Collector {
	return told{
		[]*prometheus.Desc{
			describe("tls_certificate_expiry_timestamp_seconds", "When the TLS certificate expires, in Unix time."),
		},
		func(tell func(int, prometheus.ValueType, float64)) {
			text, err := os.ReadFile(file) // #nosec G304 -- the operator's
			if err != nil {
				return
			}
			block, _ := pem.Decode(text)
			if block == nil {
				return
			}
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				tell(0, prometheus.GaugeValue, float64(c.NotAfter.Unix()))
			}
		},
	}
}

// Pool tells how the connections to PostgreSQL stand.
func Pool(of func() (sqldb.Pool, bool)) prometheus.Collector {
	return told{
		[]*prometheus.Desc{
			describe("store_connections_used", "Connections to PostgreSQL that are in use."),
			describe("store_connections_idle", "Connections to PostgreSQL that are open and free."),
			describe("store_connections_max", "Connections to PostgreSQL that there may be."),
			describe("store_connection_waits_total", "Times that no connection was free."),
			describe("store_connection_wait_seconds_total", "How long was waited for a free connection."),
		},
		func(tell func(int, prometheus.ValueType, float64)) {
			p, ok := of()
			if !ok {
				return
			}
			for i, v := range []float64{float64(p.Used), float64(p.Idle), float64(p.Most)} {
				tell(i, prometheus.GaugeValue, v)
			}
			tell(3, prometheus.CounterValue, float64(p.Waits))
			tell(4, prometheus.CounterValue, p.Waited.Seconds())
		},
	}
}
