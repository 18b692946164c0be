package server

// Mount puts the doors on a mux.
var Mount = mount
