import { createClient } from '@countersign/client'
import { createCountersign, requireSession } from '@countersign/client/vue'
import { createApp } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'

import AccountPage from './account-page.vue'
import AdminPage from './admin-page.vue'
import App from './app.vue'
import LoginPage from './login-page.vue'

const client = createClient()
const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/login', component: LoginPage },
    { path: '/', component: AccountPage, beforeEnter: requireSession(client) },
    {
      path: '/admin',
      component: AdminPage,
      beforeEnter: requireSession(client, { roles: ['admin'], denied: '/' }),
    },
  ],
})

createApp(App).use(createCountersign(client)).use(router).mount('#app')
