package devpages

// style is that of all pages: as the browser's reader likes it, light or dark.
const style = `
:root { color-scheme: light dark; --line: #767676; }
body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
form { margin: 1rem 0; max-width: 24rem; } label { display: block; margin: .6rem 0 .2rem; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; border: 1px solid var(--line); border-radius: .25rem; }
button { font: inherit; margin-top: .8rem; padding: .4rem .9rem; border: 1px solid var(--line); border-radius: .25rem; cursor: pointer; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.problem { border-left: .3rem solid #c0392b; padding-left: .8rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); border-radius: .25rem; padding: 1rem; font: inherit; }
code { overflow-wrap: anywhere; }
`

const texts = `
{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{{.}} - anthill dev</title><style>{{style}}</style></head>
<body><main><h1>{{.}}</h1>{{end}}

{{define "tail"}}<p><small>A page of anthill dev on this machine, for trying things out:
<a href="/">the application</a>, <a href="/mails">the mails</a>.</small></p></main></body></html>{{end}}

{{define "message"}}{{template "head" "Sorry"}}<p>{{.}}</p>{{template "tail"}}{{end}}

{{define "login"}}{{template "head" "Log in to the application"}}{{with .Problem}}<p class="problem" role="alert">{{.}}</p>{{end}}
{{if .SelfAuth}}<h2>With Self-auth</h2>
<p>For who was moved, and has set up an account there with the code of the mail.</p>
<form method="post" action="/login/self-auth"><button>Login with Self-auth</button></form>{{end}}
<h2>With a password</h2>
{{with .Password}}<p>Each user of the sample has the password <code>{{.}}</code>.</p>{{else}}<p>The passwords of generated users are not known.</p>{{end}}
<form method="post" action="/login/password"><label for="email">E-mail address</label>
<input id="email" name="email" autocomplete="username" autocapitalize="none" spellcheck="false" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Login with password</button></form>{{template "tail"}}{{end}}

{{define "in"}}{{template "head" "You are let in"}}<table>
<tr><th scope="row">Who</th><td>{{.Who}}</td></tr>
<tr><th scope="row">By</th><td>{{.Way}}</td></tr>
<tr><th scope="row">Tenant</th><td>{{.Tenant}}</td></tr>
<tr><th scope="row">Role</th><td>{{.Role}}</td></tr>
{{with .Group}}<tr><th scope="row">Found by</th><td>group <code>{{.}}</code>, the first of the token with a mapping row</td></tr>{{end}}
{{with .Method}}<tr><th scope="row">Method of the row</th><td>{{.}}</td></tr>{{end}}
</table>{{template "tail"}}{{end}}

{{define "mails"}}{{template "head" "Mails"}}<p>{{.Count}} in <code>{{.Folder}}</code>{{if gt .Count .Most}}, the newest {{.Most}} of them here{{end}}.</p>
{{if .List}}<table><thead><tr><th scope="col">Sent</th><th scope="col">To</th><th scope="col">Subject</th></tr></thead><tbody>
{{range .List}}<tr><td>{{when .Date}}</td><td>{{.To}}</td><td><a href="/mails/{{.File}}">{{or .Subject "(no subject)"}}</a></td></tr>
{{end}}</tbody></table>{{else}}<p>Mails are written there by provider "mail" with a directory, as an apply moves users of a wave with an invitation.</p>{{end}}
{{template "tail"}}{{end}}

{{define "mail"}}{{template "head" (or .Subject "(no subject)")}}<p>To {{.To}}, {{when .Date}}, <code>{{.File}}</code></p>
<div class="text">{{or .Text "(no text)"}}</div>{{template "tail"}}{{end}}
`
