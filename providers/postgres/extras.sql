-- What the application's own migrations make besides what the dual schema needs. Each part is under its name; <schema> is that of users, and
-- {names} are filled in. A statement ends with a semicolon at the end of a line.

--- view v_migration_progress
CREATE VIEW <schema>.v_migration_progress AS
  SELECT t.{tenants.tenant_id} AS tenant_id, t.{tenants.name} AS tenant_name, t.{tenants.slug} AS tenant_slug,
    count(u.{users.user_id}) AS total_users,
    count(*) FILTER (WHERE u.{users.method} = {value.password}) AS password_only,
    count(*) FILTER (WHERE u.{users.method} = {value.self_auth}) AS <idp>_only,
    count(*) FILTER (WHERE u.{users.method} = {value.dual}) AS dual_auth,
    count(u.{users.link_id}) AS migrated_users,
    round(100.0 * count(u.{users.link_id}) / nullif(count(u.{users.user_id}), 0), 2) AS migration_percent,
    max(u.{users.completed_at}) AS last_migration_at
  FROM {tenants} t LEFT JOIN {users} u ON u.{users.tenant_id} = t.{tenants.tenant_id} AND u.{users.deleted_at} IS NULL
  WHERE t.{tenants.deleted_at} IS NULL GROUP BY 1, 2, 3;
COMMENT ON VIEW <schema>.v_migration_progress IS 'By tenant: how its users log in, and how many are linked.';

--- view v_session_stats
CREATE VIEW <schema>.v_session_stats AS
  SELECT {sessions.method} AS auth_method, count(*) AS total_sessions,
    count(*) FILTER (WHERE NOT {sessions.revoked}) AS active_sessions,
    count(*) FILTER (WHERE access_token_expires_at > now()) AS valid_sessions,
    round(avg(extract(epoch FROM now() - {sessions.created_at}) / 3600))::integer AS avg_age_hours,
    max(last_used_at) AS most_recent_use
  FROM {sessions} WHERE {sessions.created_at} >= current_date - interval '7 days' GROUP BY 1;
COMMENT ON VIEW <schema>.v_session_stats IS 'Sessions of the last 7 days, by what they are based on.';

--- function cleanup_expired_sessions
CREATE FUNCTION <schema>.cleanup_expired_sessions(days_old integer DEFAULT 30) RETURNS TABLE (deleted_count bigint)
  LANGUAGE sql AS $cleanup$
    WITH gone AS (DELETE FROM {sessions}
      WHERE access_token_expires_at < now() - make_interval(days => days_old)
        OR {sessions.revoked} AND revoked_at < now() - make_interval(days => days_old)
      RETURNING 1)
    SELECT count(*) FROM gone $cleanup$;
COMMENT ON FUNCTION <schema>.cleanup_expired_sessions(integer) IS 'Deletes sessions that expired, or were revoked, more than so many days ago.';

--- comment users.password_hash
COMMENT ON COLUMN {users}.{users.password_hash} IS 'bcrypt hash; NULL for users who log in through Self-auth alone.';

--- comment users.method
COMMENT ON COLUMN {users}.{users.method} IS 'How the user logs in: by password, through Self-auth, or by both.';

--- comment users.invited_at
COMMENT ON COLUMN {users}.{users.invited_at} IS 'When the user was invited to Self-auth.';

--- comment users.completed_at
COMMENT ON COLUMN {users}.{users.completed_at} IS 'When the user first logged in through Self-auth.';

--- comment sessions.access_token_hash
COMMENT ON COLUMN {sessions}.{sessions.access_token_hash} IS 'SHA-256 of the access token; NULL for sessions of Self-auth.';

--- comment sessions.refresh_token_hash
COMMENT ON COLUMN {sessions}.{sessions.refresh_token_hash} IS 'SHA-256 of the refresh token; NULL for sessions of Self-auth.';

--- comment sessions.session_link
COMMENT ON COLUMN {sessions}.{sessions.session_link} IS 'Session of Self-auth; NULL for sessions by password.';

--- comment sessions.method
COMMENT ON COLUMN {sessions}.{sessions.method} IS 'What the session is based on: a token of the application, Self-auth, or both.';
