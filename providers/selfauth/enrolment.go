package selfauth

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"anthill/internal/regex"
	"anthill/providers"
	"anthill/state"
)

type enrolment struct{ conn *conn }

var _ providers.Enrolment = enrolment{}

// Enrolment is how persons come to a first credential.
func (p *Provider) Enrolment() providers.Enrolment { return enrolment{p.conn} }

// The paths for browsers are the server's own, below the address by which it is called.
func (e enrolment) Pages() providers.Pages {
	at := e.conn.origin + "/ui/"
	return providers.Pages{Login: at + "login", Reset: at + "reset", Recover: at + "recover"}
}

// codeForm is what a code is made of. Anything else is none, and could mean something in a URL.
var codeForm = regex.Lazy(`^[A-Za-z0-9-]{8,64}$`)

const minting = "make a one-time code"

// Mint makes a code (docs/selfauth-facts.md F50).
func (e enrolment) Mint(ctx context.Context, person uuid.UUID, life time.Duration) (code providers.Code, err error) {
	// The server would take another life for the nearest that it has, without a word.
	if life < providers.LeastLife || life > providers.MostLife {
		return code, &state.Error{
			Kind: state.ErrorRefused, Side: side, Doing: minting,
			Reason: "it can live for 5 minutes to 24 hours",
		}
	}
	k := call{
		method: http.MethodGet, doing: minting, right: peopleAdmins, also: credentialReaders[:], sole: true,
		path: "/v1/person/" + person.String() + "/_credential/_update_intent/" +
			strconv.FormatInt(int64(life/time.Second), 10),
	}
	err = e.conn.writeFor(ctx, k, func(in *body) error {
		var answer struct {
			Token  string `json:"token"`
			Expiry int64  `json:"expiry_time"`
		}
		if err := decodeWhole(in, &answer); err != nil {
			return err
		}
		if !codeForm().MatchString(answer.Token) || answer.Expiry <= 0 {
			return errNoCode
		}
		code = providers.NewCode(answer.Token, time.Unix(answer.Expiry, 0).UTC())
		return nil
	})
	return code, err
}

var errNoCode = errors.New("it is no one-time code")
