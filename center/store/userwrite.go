package store

import (
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/plainjson"
)

// writePlainUser writes a user's document; ok is false for a user that sqldb.Encode must write.
func writePlainUser(u center.User) (doc string, ok bool) {
	texts, lists := u.TextAttributes(), u.ListAttributes()
	var w plainjson.Writer
	w.Begin()
	for i := range userFields {
		switch f := &userFields[i]; f.kind {
		case textField:
			w.Text(f.key, *texts[f.place].Value)
		case listField:
			writeValues(&w, f.key, *lists[f.place].Values)
		case structField:
			w.Object(f.key, func() {
				for _, part := range f.parts {
					w.Text(part.key, *texts[part.place].Value)
				}
			})
		case otherField:
			writeOther(&w, &u, f.key)
		}
	}
	w.End()
	return w.String(), !w.Unusual
}

// writeOther writes what is no attribute that center's tables have.
func writeOther(w *plainjson.Writer, u *center.User, key string) {
	switch key {
	case "ID":
		w.Text(key, string(u.ID))
	case "Active":
		w.Flag(key, u.Active)
	case "Addresses":
		writeAddresses(w, key, u.Addresses)
	case "CreatedAt":
		w.Time(key, u.CreatedAt)
	case "CreatedBy":
		w.Text(key, u.CreatedBy)
	case "UpdatedAt":
		w.Time(key, u.UpdatedAt)
	case "UpdatedBy":
		w.Text(key, u.UpdatedBy)
	case "AddressChangedAt":
		w.Time(key, u.AddressChangedAt)
	case "RolesSince":
		w.Time(key, u.RolesSince)
	case "Version":
		w.Number(key, u.Version)
	default:
		w.Unusual = true
	}
}

// writeValues leaves out a list that is nil. An empty one is written.
func writeValues(w *plainjson.Writer, key string, list []center.Value) {
	if list == nil {
		return
	}
	w.List(key, func() {
		for _, v := range list {
			w.Begin()
			w.Text("Value", v.Value)
			w.Text("Display", v.Display)
			w.Text("Type", v.Type)
			w.Flag("Primary", v.Primary)
			w.End()
		}
	})
}

func writeAddresses(w *plainjson.Writer, key string, list []center.Address) {
	if list == nil {
		return
	}
	w.List(key, func() {
		for _, a := range list {
			w.Begin()
			w.Text("Formatted", a.Formatted)
			w.Text("StreetAddress", a.StreetAddress)
			w.Text("Locality", a.Locality)
			w.Text("Region", a.Region)
			w.Text("PostalCode", a.PostalCode)
			w.Text("Country", a.Country)
			w.Text("Type", a.Type)
			w.Flag("Primary", a.Primary)
			w.End()
		}
	})
}
