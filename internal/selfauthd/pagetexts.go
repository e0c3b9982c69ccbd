package selfauthd

// style is that of all pages: as the browser's reader likes it, light or dark.
const style = `
:root { color-scheme: light dark; --line: #767676; --link: #0b5394; background: #fdfdfd; color: #1c1c1c; }
@media (prefers-color-scheme: dark) { :root { --link: #8ab8f0; background: #16181b; color: #ececec; } }
a { color: var(--link); }
body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
form { margin: 1rem 0; } label { display: block; margin: .6rem 0 .2rem; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; border: 1px solid var(--line); border-radius: .25rem; }
button { font: inherit; margin-top: .8rem; padding: .4rem .9rem; border: 1px solid var(--line); border-radius: .25rem; cursor: pointer; }
.problem { border-left: .3rem solid #c0392b; padding-left: .8rem; }
code { overflow-wrap: anywhere; }
`

const pageTexts = `
{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{{.}} - Self-auth (emulator)</title><style>{{style}}</style></head>
<body><main><h1>{{.}}</h1>{{end}}

{{define "tail"}}<p><small>This is an emulator of Self-auth on this machine, for trying things out.</small></p></main></body></html>{{end}}

{{define "problem"}}{{if .}}<p class="problem" role="alert">{{.}}</p>{{end}}{{end}}

{{define "message"}}{{template "head" "Self-auth"}}<p>{{.}}</p>
<p><a href="/ui/login">Log in</a></p>{{template "tail"}}{{end}}

{{define "login"}}{{template "head" "Log in"}}{{template "problem" .Problem}}
{{if .Ways}}<form method="post" action="/ui/login/way"><p>Log in</p>
{{range .Ways}}<p><button name="way" value="{{.}}">{{way .}}</button></p>
{{end}}</form>
{{else if eq .Wants "passkey"}}<form method="post" action="/ui/login/cred"><input type="hidden" name="kind" value="passkey">
<p>The passkey was made in this browser: it is used by the button.</p><button>Use the passkey</button></form>
{{else if eq .Wants "totp"}}<form method="post" action="/ui/login/cred"><input type="hidden" name="kind" value="totp">
<label for="value">Code of your authenticator</label>
<input id="value" name="value" inputmode="numeric" autocomplete="one-time-code" required autofocus><button>Continue</button></form>
{{else if .Wants}}<form method="post" action="/ui/login/cred"><input type="hidden" name="kind" value="password">
<label for="value">Password</label>
<input id="value" name="value" type="password" autocomplete="current-password" required autofocus><button>Continue</button></form>
{{else}}<form method="post" action="/ui/login/begin"><label for="username">Name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
<button>Continue</button></form>
<p><a href="/ui/reset">I have a one-time code</a></p><p><a href="/ui/recover">I cannot log in</a></p>{{end}}
{{template "tail"}}{{end}}

{{define "home"}}{{template "head" "You are logged in"}}<p>{{first .displayname}} (<code>{{first .spn}}</code>)</p>
<h2>Groups</h2><ul>{{range .memberof}}<li><code>{{.}}</code></li>{{end}}</ul>
<form method="post" action="/ui/logout"><button>Log out</button></form>{{template "tail"}}{{end}}

{{define "consent"}}{{template "head" "Go on to the application?"}}<p><strong>{{.Client}}</strong> asks to know, and to act for you:</p>
<ul>{{range .Scopes}}<li><code>{{.}}</code></li>{{end}}</ul>
<form method="post" action="/ui/oauth2/consent"><input type="hidden" name="consent_token" value="{{.Token}}">
<button>Go on</button></form>{{template "tail"}}{{end}}

{{define "code"}}{{template "head" "Set up your account"}}{{template "problem" .}}
<form method="post" action="/ui/reset"><label for="token">One-time code</label>
<input id="token" name="token" autocomplete="off" autocapitalize="none" spellcheck="false" required autofocus>
<button>Continue</button></form>{{template "tail"}}{{end}}

{{define "credentials"}}{{template "head" "Set up your account"}}<p>{{.Display}}, your name for logging in is <code>{{.SPN}}</code>.</p>
{{template "problem" .Problem}}
<h2>Password</h2>{{if .Has}}<p>There is {{.Has}}.</p>
<form method="post" action="/ui/reset/change"><button name="do" value="remove-password">Remove it</button></form>{{end}}
{{if eq .PasswordState "Modifiable"}}<form method="post" action="/ui/reset/change"><label for="value">New password</label>
<input id="value" name="value" type="password" autocomplete="new-password" required>
<label for="again">Once more</label><input id="again" name="again" type="password" autocomplete="new-password" required>
<button name="do" value="password">Set the password</button></form>
{{if .Registers}}<form method="post" action="/ui/reset/change">{{if .Secret}}<p>Give your authenticator this secret (SHA-256, 30 seconds, 6 digits):
{{with .Secret}}<code>{{.}}</code>{{end}}</p>{{end}}{{if .Again}}<p class="problem">That was not its code. Try again with the next one.</p>{{end}}
<label for="totp">Its code</label><input id="totp" name="value" inputmode="numeric" autocomplete="one-time-code" required>
<button name="do" value="totp-code">Add the authenticator</button></form>
{{else if .Has}}<form method="post" action="/ui/reset/change"><button name="do" value="totp">Add codes of an authenticator</button></form>{{end}}
{{else}}<p>The policy of this account wants no password.</p>{{end}}
<h2>Passkeys</h2>{{range .Passkeys}}<form method="post" action="/ui/reset/change">{{.Tag}}
<input type="hidden" name="value" value="{{.ID}}"><button name="do" value="remove-passkey">Remove it</button></form>{{end}}
{{if eq .PasskeyState "Modifiable"}}<form method="post" action="/ui/reset/change"><label for="tag">Name of a passkey, made up and kept by this browser</label>
<input id="tag" name="value" maxlength="60"><button name="do" value="passkey">Make up a passkey</button></form>
{{else}}<p>The policy of this account wants other passkeys than made-up ones.</p>{{end}}
<h2>Done?</h2>{{range .Reasons}}<p>{{.}}</p>{{end}}
<form method="post" action="/ui/reset/change">{{if .Can}}<button name="do" value="save">Save</button>{{end}}
<button name="do" value="cancel">Cancel</button></form>{{template "tail"}}{{end}}

{{define "recover"}}{{template "head" "I cannot log in"}}<form method="post" action="/ui/recover">
<label for="email">E-mail address of your account</label>
<input id="email" name="email" type="email" autocomplete="email" required autofocus><button>Send a link</button></form>
{{template "tail"}}{{end}}
`
