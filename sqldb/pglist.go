package sqldb

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// textLists writes lists of texts, which statements that are alike travel with, at once: pgx asks
// anew for each text how it is written, and lets the buffer grow step by step.
type textLists struct{ *pgtype.ArrayCodec }

// writeTextLists makes a connection write lists of texts so.
func writeTextLists(c *pgx.Conn) {
	known, ok := c.TypeMap().TypeForOID(pgtype.TextArrayOID)
	if !ok {
		return
	}
	if codec, ok := known.Codec.(*pgtype.ArrayCodec); ok {
		c.TypeMap().RegisterType(&pgtype.Type{Name: known.Name, OID: known.OID, Codec: textLists{codec}})
	}
}

// PlanEncode implements pgtype.Codec.
func (l textLists) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]string); ok && format == pgx.BinaryFormatCode {
		return l
	}
	return l.ArrayCodec.PlanEncode(m, oid, format, value)
}

// Encode implements pgtype.EncodePlan: the binary form of an array of one dimension, which has no
// description, only PostgreSQL's array_recv.
func (textLists) Encode(value any, buf []byte) ([]byte, error) {
	texts := value.([]string) // PlanEncode has looked
	size := 5 * 4
	for _, text := range texts {
		size += 4 + len(text)
	}
	buf = slices.Grow(buf, size)
	put := func(n int) { buf = binary.BigEndian.AppendUint32(buf, uint32(n)) } // #nosec G115 -- a length
	dimensions := min(len(texts), 1)
	put(dimensions)
	put(0) // none is NULL
	put(pgtype.TextOID)
	if dimensions == 1 {
		put(len(texts))
		put(1) // is the number of the first
	}
	for _, text := range texts {
		put(len(text))
		buf = append(buf, text...)
	}
	return buf, nil
}
