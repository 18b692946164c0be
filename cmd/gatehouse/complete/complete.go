// Package complete offers values to the shell that completes a command: the names that the running
// center has, and the words that a flag takes. A center that does not answer at once, or no access
// key, offers nothing: who presses a key reads no errors.
//
// It may import adminapi, cmd/gatehouse/administer, outbound and terminal.
package complete

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// patience is how long somebody who presses a key waits.
const patience = 2 * time.Second //bound:wait names for a shell that completes a word

// arguments are the kinds of names that stand for words in a command's usage.
var arguments = map[string][]string{
	"USER":        {adminapi.NamesOfUsers},
	"USERNAME":    {adminapi.NamesOfUsers},
	"LEAVER":      {adminapi.NamesOfUsers},
	"GROUP":       {adminapi.NamesOfGroups},
	"ACCOUNT":     {adminapi.NamesOfAccounts},
	"APPLICATION": {adminapi.NamesOfApplications},
	"KEY":         {adminapi.NamesOfAccessKeys},
	"POLICY":      {adminapi.NamesOfPolicies},
	"REVIEW":      {adminapi.NamesOfReviews},
}

// flags are the kinds of names that flags take.
var flags = map[string][]string{
	"user":           {adminapi.NamesOfUsers},
	"group":          {adminapi.NamesOfGroups},
	"eligible":       {adminapi.NamesOfGroups},
	"approvers":      {adminapi.NamesOfGroups},
	"to":             {adminapi.NamesOfUsers, adminapi.NamesOfGroups},
	"account":        {adminapi.NamesOfAccounts},
	"permission-set": {adminapi.NamesOfPermissionSets},
}

// Completes says whether the arguments of a process are a shell's, which wants a word completed.
func Completes(args []string) bool {
	return len(args) > 0 && (strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) || args[0] == lineOfBash)
}

// Values lets every command under root complete its arguments and flags. It looks at each flag of
// each command, which takes longer than most commands: only a process that Completes wants it.
func Values(root *cobra.Command, w administer.World) {
	for _, cmd := range root.Commands() {
		Values(cmd, w)
	}
	names := completion{w}
	if calls(root) && root.ValidArgsFunction == nil {
		root.ValidArgsFunction = names.argument
	}
	root.LocalFlags().VisitAll(func(f *pflag.Flag) { names.flag(root, f) })
}

// calls says whether a command calls the API of a center. Flags are inherited after all commands
// have been put together.
func calls(cmd *cobra.Command) bool {
	return cmd.Flag("center-url") != nil && cmd.Flag("access-key-id") != nil
}

type completion struct{ administer.World }

// argument completes the next word of those in the command's usage.
func (c completion) argument(
	cmd *cobra.Command, args []string, begun string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	words := strings.Fields(cmd.Use)[1:]
	if len(args) >= len(words) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	word := words[len(args)]
	if strings.Contains(word, "FILE") || strings.Contains(word, "DIR") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var kinds []string
	for _, one := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("[]|.", r) }) {
		kinds = append(kinds, arguments[one]...)
	}
	return c.names(cmd, kinds, begun), cobra.ShellCompDirectiveNoFileComp
}

// listed is how the help of a flag lists the words that it takes.
var listed = regexp.MustCompile(`^(?:.*: )?((?:[\w-]+, )*[\w-]+ or [\w-]+)(?: \(default.*\))?$`)

func (c completion) flag(cmd *cobra.Command, f *pflag.Flag) {
	kinds := flags[f.Name]
	m := listed.FindStringSubmatch(f.Usage)
	switch {
	case f.Value.Type() == "bool":
	case m != nil:
		words := strings.Split(strings.Replace(m[1], " or ", ", ", 1), ", ")
		_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	case kinds != nil && calls(cmd):
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(
			cmd *cobra.Command, _ []string, begun string,
		) ([]cobra.Completion, cobra.ShellCompDirective) {
			return c.names(cmd, kinds, begun), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// names are those of the center that the command would call. What was begun as an id goes on as
// one.
func (c completion) names(cmd *cobra.Command, kinds []string, begun string) (list []cobra.Completion) {
	if len(kinds) == 0 || terminal.Bind(cmd, c.Env) != nil {
		return nil
	}
	address := administer.AddressOf(cmd)
	client, mistakes := address.Client(c.Env, outbound.Operator.Client(patience))
	if len(mistakes) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	for _, kind := range kinds {
		found, err := client.ListNames(ctx, kind, begun)
		if err != nil {
			return nil
		}
		for _, n := range found {
			name, id := terminal.Inline(n.Name), terminal.Inline(n.ID)
			if begun != "" && adminapi.Begins(id, begun) && !adminapi.Begins(name, begun) {
				name, id = id, name
			}
			list = append(list, cobra.CompletionWithDesc(name, id))
		}
	}
	return list
}
