// Package devpages are the pages of `anthill dev`: the mails that invitations went out as, and a small application with
// both ways to log in. They are for the browser of whoever has started the sandbox, on this machine alone: forms
// without script, which fetch nothing from elsewhere. The application decides by sandbox.Application; it keeps nobody
// logged in, and says what it would let each one in as.
package devpages
