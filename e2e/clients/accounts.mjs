// What a client of `/accounts/*` does.

export const name = 'accounts';

export async function run({ base, check }) {
  const answer = await fetch(`${base}/accounts/protected/`);
  check(answer.status === 401, `nobody is signed in, but protected answered ${answer.status}`);
  const { detail } = await answer.json();
  check(detail === 'Authentication credentials were not provided.', detail);
}
