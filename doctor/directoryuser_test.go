package doctor

import (
	"reflect"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
)

// TestNothingOfAUserIsLostWhereItIsPacked: a property that Graph's user gets one day has its place
// among the packed ones too.
func TestNothingOfAUserIsLostWhereItIsPacked(t *testing.T) {
	on := true
	u := graph.User{
		AccountEnabled: &on,
		BusinessPhones: []string{"+351 22"},
		Extensions:     map[string]string{"extensionAttribute3": "x"},
	}
	fields := reflect.ValueOf(&u).Elem()
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if fields.Field(i).Kind() == reflect.String && name != "ODataType" {
			fields.Field(i).SetString("its " + name)
		}
	}
	packed := Pack(u)
	if got := packed.whole(); !reflect.DeepEqual(got, u) {
		t.Errorf("%+v became %+v", u, got)
	}
}
