import { render } from 'preact';
import { App } from './view/app.tsx';

const root = document.getElementById('app');
if (root === null) throw new TypeError('the page has no place for the dashboard');
render(<App />, root);
