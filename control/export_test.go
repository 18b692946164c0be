package control

// What tests outside the package look at: they use a tenant, whose assembly imports control.
const SocketFolder = socketFolder

var (
	ErrNoOrders    = errNoOrders
	ClosedToOthers = closedToOthers
)
