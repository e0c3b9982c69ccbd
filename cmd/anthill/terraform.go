package main

// otherCommands answers commands that people know from Terraform, and commands of later versions: what Anthill does
// instead.
var otherCommands = map[string]string{
	"init": "init is not in this version. There is nothing to install: the providers are part of the program, and the " +
		"first apply makes the state. Begin with:\n\n    anthill plan",
	"fmt": "fmt is not in this version. To check the configuration:\n\n    anthill validate",
	"state *": "of state there is only forget in this version. What is recorded is shown by:\n\n" +
		"    anthill status\n    anthill status -json",
	"history": "history is not in this version. The runs are listed by:\n\n    anthill status",
	"import *": "import of objects is not in this version. What is there already is taken over where its block says adopt, and a " +
		"person by the verified address where the configuration says identity { adopt = \"mail\" }. Persons that were made by hand:\n\n" +
		"    anthill import links FILE",
	"verify": "verify is not in this version. What is not as it was left is shown by:\n\n    anthill plan -refresh-only",
	"schema": "schema is not in this version. The steps of the schema are part of every plan:\n\n    anthill plan",

	"destroy": "there is no destroy. What was done is taken back, run by run:\n\n    anthill rollback",
	"output": "there are no outputs. For programs:\n\n" +
		"    anthill show -json PLANFILE\n    anthill status -json",
	"console": "there is no console. To check the configuration, and to see what it comes to:\n\n" +
		"    anthill validate\n    anthill plan",
	"workspace": workspaceText,
	"env":       workspaceText,
	"taint": "nothing is tainted. To move users anew, take them back and let the wave go on:\n\n" +
		"    anthill rollback -wave WAVE -tenant SLUG\n    anthill wave resume WAVE -tenant SLUG",
	"untaint": "nothing is tainted. What is due is shown by:\n\n    anthill plan",
	"refresh": "there is no refresh. Every plan reads both servers as they are:\n\n    anthill plan",
	"graph":   "there is no graph. A plan lists its changes in their order:\n\n    anthill plan",
	"login":   loginText,
	"logout":  loginText,
	"get": "there is nothing to get: a configuration has no modules from elsewhere. Begin with:\n\n" +
		"    anthill plan",
	"providers": "the providers, Postgres and Self-auth, are part of the program. Its version:\n\n    anthill version",
	"test":      "there is no test. To try a configuration on throw-away servers:\n\n    anthill dev -- anthill plan",
	"modules": "there are no modules: a configuration is the files of one directory. To check it:\n\n" +
		"    anthill validate",
	"metadata": "there is no metadata. The versions, of the program and of its formats, for programs:\n\n" +
		"    anthill version -json",
	"stacks": "there are no stacks. Each environment has a directory of its own:\n\n" +
		"    anthill -chdir=DIRECTORY plan",
	"push": "there is nowhere to push to: Anthill runs where it is called. A plan that others review is a file:\n\n" +
		"    anthill plan -out FILE",
	"force-unlock": "no lock has to be broken: it ends with the process that holds it. To wait for it:\n\n" +
		"    anthill apply -lock-timeout 1m",

	"wave show": "the waves are listed by:\n\n    anthill wave list",
}

const (
	workspaceText = "there are no workspaces. Each environment has a directory of its own, and its name in " +
		"anthill { environment = \"...\" }:\n\n    anthill -chdir=DIRECTORY plan"
	loginText = "there is no login. The database is named by DATABASE_URL, Self-auth by SELF_AUTH_URL and " +
		"SELF_AUTH_ADMIN_TOKEN, or all of them by the provider blocks. To try it on throw-away servers:\n\n" +
		"    anthill dev -- anthill plan"
)

// otherFlags answers flags that people know from Terraform.
var otherFlags = map[string]string{
	"replace": "there is no -replace. Objects are changed in place, and where that cannot be done the plan " +
		"says so: another type deletes an OAuth2 client that Anthill made, and makes it again. To see it:\n\n" +
		"    anthill plan",
	"generate-config-out": "there is no -generate-config-out. What is there already is taken over where its block " +
		"says adopt. To begin with a configuration that works, see the one that the demo shows:\n\n    anthill demo",
	"destroy": "there is no -destroy. The plan that takes a run back:\n\n    anthill rollback -out FILE",
	"input": "there is no -input. Variables come from -var and -var-file and are never asked for; -auto-approve answers " +
		"the only question.",
	"parallelism": "there is no -parallelism. Batches adapt to the servers by themselves (max_write_time in the " +
		"provider block of Self-auth).",
	"lock":             "there is no -lock. The lock is always taken; -lock-timeout says how long to wait for it: 30s.",
	"compact-warnings": "there is no -compact-warnings: warnings are shown in full, on stderr.",
	"upgrade":          "there is no -upgrade. The providers are part of the program.",
	"dry-run":          "there is no -dry-run. What would change is shown by:\n\n    anthill plan",
	"refresh":          refreshText,
	"refresh-only":     driftText,
	"backend-config":   backendText,
	"reconfigure":      backendText,
	"migrate-state":    backendText,
	"state":            backendText,
	"state-out":        backendText,
	"backup":           backendText,
	"yes":              yesText,
	"y":                yesText,
	"force":            yesText,
}

const (
	driftText = "-refresh-only belongs to plan and apply: it shows what others have changed of what is recorded, and records " +
		"objects as they are:\n\n    anthill plan -refresh-only"
	refreshText = "there is no such flag: every plan reads both servers as they are."
	backendText = "there is no backend to configure. The state lies in the application's database, " +
		"in the schema that anthill { state \"postgres\" { schema = \"...\" } } names."
	yesText = "there is no such flag; -auto-approve carries out a plan without asking."
)
