package administer

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// users is the command for what an administrator does about people.
func (w World) users() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "users",
		Short: "List, disable and enable users, and reset their passwords and second factors",
		Long: `USER is a user name or a user's id. "aws identitystore" creates, changes and deletes users, groups
and memberships.`,
		Example: `  gatehouse users list --search ada
  gatehouse users disable ada@example.com
  gatehouse users enable ada@example.com
  gatehouse users invite ada@example.com
  gatehouse users one-time-password ada@example.com
  gatehouse users show ada@example.com
  gatehouse users register-device ada@example.com
  gatehouse users delete-device ada@example.com Phone`,
	}
	a.flags(cmd)
	user := terminal.OneArg("a user name or a user's id")
	cmd.AddCommand(
		a.listUsers(),
		a.command("show USER", "Show a user with second factors and sessions", user, a.showUser),
		a.command("enable USER", "Let a user sign in again", user, a.forUser(
			func(cmd *cobra.Command, c *adminapi.Client, u adminapi.User) error {
				err := c.EnableUser(cmd.Context(), u.UserID)
				return a.done(err, "%s can sign in again.", terminal.Inline(u.UserName))
			})),
		a.command("disable USER", "Refuse a user's sign-in and end all sessions", user,
			a.forUser(a.disableUser)),
		a.invite(),
		a.command("one-time-password USER", "Make a password to hand over, and print it once", user,
			a.oneTimePassword),
		a.registerDevice(),
		a.command("delete-device USER DEVICE", "Delete a second factor and end all sessions",
			terminal.Args("a user and a device, by name or id", 2), a.deleteDevice),
	)
	return cmd
}

// userID is what ids of users look like: AWS's, and the ones of this program.
var userID = regexp.MustCompile(`^([0-9a-f]{10}-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func findUser(cmd *cobra.Command, c *adminapi.Client, nameOrID string) (adminapi.User, error) {
	if userID.MatchString(nameOrID) {
		return c.DescribeUser(cmd.Context(), adminapi.UserInput{UserID: nameOrID})
	}
	return c.DescribeUser(cmd.Context(), adminapi.UserInput{UserName: nameOrID})
}

// forUser is what a command does with the user that its first argument names.
func (a *administration) forUser(
	do func(*cobra.Command, *adminapi.Client, adminapi.User) error,
) func(*cobra.Command, *adminapi.Client, []string) error {
	return func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
		u, err := findUser(cmd, c, args[0])
		if err != nil {
			return err
		}
		return do(cmd, c, u)
	}
}

// disableUser says too what a session's end does not end.
func (a *administration) disableUser(cmd *cobra.Command, c *adminapi.Client, u adminapi.User) error {
	name := terminal.Inline(u.UserName)
	if err := c.DisableUser(cmd.Context(), u.UserID); err != nil {
		return err
	}
	left, err := c.ListRoleAccess(cmd.Context(), u.UserID)
	if err != nil {
		return a.done(fmt.Errorf("%s is disabled, but it is not known which roles are still open: %w", name, err), "")
	}
	words := name + " is disabled: sign-in is refused and all sessions have ended."
	if n := len(left.Open); n > 0 {
		words += fmt.Sprintf(" Roles that are still open in AWS: %d. \"gatehouse revoke %s\" says which, and "+
			"prints what refuses them.", n, name)
	}
	if n := left.Pending(); n > 0 {
		words += fmt.Sprintf(" Open roles that IAM is told to refuse: %d.", n)
	}
	return a.done(nil, "%s", words)
}

func (a *administration) listUsers() *cobra.Command {
	var search string
	var limit int
	cmd := a.command("list", "List users", terminal.NoArgs,
		func(cmd *cobra.Command, c *adminapi.Client, _ []string) error {
			users, total, err := c.SearchUsers(cmd.Context(), search, limit)
			if err != nil {
				return err
			}
			err = a.print(users, "USER NAME\tNAME\tEMAIL\tSTATUS\tID", func(line func(...any)) {
				for _, u := range users {
					line(u.UserName, u.DisplayName, u.Email, u.Status, u.UserID)
				}
			})
			if err == nil && total > len(users) {
				fmt.Fprintf(a.Err, "%d of %d users; --limit shows more.\n", len(users), total)
			}
			return err
		})
	cmd.Flags().StringVar(&search, "search", "", "only users whose name or email contains this")
	cmd.Flags().IntVar(&limit, "limit", 1000, "how many users at most")
	return cmd
}

func (a *administration) showUser(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	u, err := findUser(cmd, c, args[0])
	if err != nil {
		return err
	}
	devices, err := c.MFADevices(cmd.Context(), u.UserID)
	if err != nil {
		return err
	}
	sessions, err := c.Sessions(cmd.Context(), u.UserID)
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct {
			adminapi.User
			Devices  []adminapi.MFADevice
			Sessions []adminapi.UserSession
		}{u, devices, sessions}, "", nil)
	}
	a.facts([][2]string{
		{"user name", u.UserName}, {"name", u.DisplayName}, {"email", u.Email}, {"status", u.Status}, {"id", u.UserID},
		{"external id", u.ExternalID}, {"created", Moment(u.CreatedAt)},
	})
	if len(devices) > 0 {
		fmt.Fprintln(a.Out)
		err = a.print(nil, "DEVICE ID\tNAME\tTYPE\tLAST USED", func(line func(...any)) {
			for _, d := range devices {
				line(d.DeviceID, d.DeviceName, d.DeviceType, Moment(d.LastUsedAt))
			}
		})
	}
	if err != nil || len(sessions) == 0 {
		return err
	}
	fmt.Fprintln(a.Out)
	return a.printSessions(sessions)
}

// facts prints names and values, without those that are empty.
func (a *administration) facts(lines [][2]string) {
	width := 0
	for _, line := range lines {
		width = max(width, len(line[0]))
	}
	for _, line := range lines {
		if line[1] != "" {
			fmt.Fprintf(a.Out, "%-*s  %s\n", width, line[0], terminal.Inline(line[1]))
		}
	}
}

func (a *administration) invite() *cobra.Command {
	var theirs bool
	cmd := a.command("invite USER", "Send a link to set a password by email",
		terminal.OneArg("a user name or a user's id"), a.forUser(
			func(cmd *cobra.Command, c *adminapi.Client, u adminapi.User) error {
				_, err := c.UpdatePassword(cmd.Context(), adminapi.UpdatePasswordInput{
					UserID: u.UserID, PasswordMode: adminapi.PasswordByEmail, AddressIsTheirs: theirs,
				})
				return a.done(err, "An email with a link to set a password is on its way to %s.",
					terminal.Inline(u.Email))
			}))
	cmd.Flags().BoolVar(
		&theirs, "address-is-theirs", false, "I know that the address, which changed lately, is the user's",
	)
	return cmd
}

func (a *administration) oneTimePassword(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	u, err := findUser(cmd, c, args[0])
	if err != nil {
		return err
	}
	password, err := c.UpdatePassword(cmd.Context(), adminapi.UpdatePasswordInput{
		UserID: u.UserID, PasswordMode: adminapi.PasswordOnce,
	})
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.print(struct{ UserName, Password string }{u.UserName, password}, "", nil)
	}
	fmt.Fprintln(a.Err, "Gatehouse shows the password only once. The user must replace it at the next sign-in.")
	_, err = fmt.Fprintln(a.Out, password)
	return err
}

func (a *administration) registerDevice() *cobra.Command {
	var name, code string
	cmd := a.command("register-device USER", "Register an authenticator app for a user who is with you",
		terminal.OneArg("a user name or a user's id"), a.forUser(
			func(cmd *cobra.Command, c *adminapi.Client, u adminapi.User) error {
				started, err := c.StartDevice(cmd.Context(), u.UserID)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.Err, "Enter this secret in the authenticator app: %s\n", terminal.Inline(started.Secret))
				if code, err = terminal.Ask(a.In, a.Err, "Code that the app shows: "); err != nil {
					return err
				}
				return a.done(c.CompleteDevice(cmd.Context(), adminapi.CompleteDeviceInput{
					UserID: u.UserID, Registration: started.Registration, DeviceName: name, Code: code,
				}), "The authenticator app is registered.")
			}))
	cmd.Flags().StringVar(&name, "name", "Authenticator app", "name of the device")
	return cmd
}

func (a *administration) deleteDevice(cmd *cobra.Command, c *adminapi.Client, args []string) error {
	u, err := findUser(cmd, c, args[0])
	if err != nil {
		return err
	}
	return a.done(c.DeleteMFADevice(cmd.Context(), u.UserID, args[1]),
		"The device is deleted, and the user's sessions have ended.")
}
