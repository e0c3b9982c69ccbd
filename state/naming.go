package state

import "maps"

// Namings are the presets of what the application's database calls its tables, columns and values.
func Namings() []string { return []string{"self_auth", "kanidm"} }

// PhysicalNames are what a naming calls things, by their logical names: "users" is a table, "users.email" a column of it, and
// "values.dual" a value of the columns of methods. nil where there is no such naming. The map is the caller's.
func PhysicalNames(naming string) map[string]string {
	value := map[string]string{"self_auth": "self-auth", "kanidm": "kanidm"}[naming]
	if value == "" {
		return nil
	}
	all := map[string]string{
		"values.password": "password", "values.dual": "dual", "values.self_auth": value, "values.jwt": "jwt",
	}
	tables := map[string]string{"tenants": "tenants", "users": "users", "sessions": "sessions", "mapping": naming + "_tenant_groups"}
	special := map[string]string{
		"link_id": naming + "_user_id", "linked_at": naming + "_synced_at", "method": "auth_method",
		"invited_at": "migration_invited_at", "completed_at": "migration_completed_at",
		"group_id": naming + "_group_uuid", "group_name": naming + "_group_name", "session_link": naming + "_session_id",
	}
	for table, columns := range LogicalColumns() {
		for _, c := range columns {
			all[table+"."+c] = c
			if name := special[c]; name != "" {
				all[table+"."+c] = name
			}
		}
	}
	maps.Copy(all, tables)
	return all
}

// LogicalColumns are the columns that are read or written, by table.
func LogicalColumns() map[string][]string {
	return map[string][]string{
		"tenants": {"tenant_id", "slug", "name", "plan", "status", "deleted_at", "settings"},
		"users": {"user_id", "tenant_id", "email", "full_name", "role", "status", "email_verified", "password_hash", "link_id",
			"linked_at", "method", "invited_at", "completed_at", "last_login_at", "created_at", "deleted_at"},
		"sessions": {"session_id", "user_id", "access_token_hash", "refresh_token_hash", "session_link", "method", "created_at", "revoked"},
		"mapping":  {"tenant_id", "group_id", "group_name", "role"},
	}
}
